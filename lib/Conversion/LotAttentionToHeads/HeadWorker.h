//===- HeadWorker.h - What the workers of both ops share --------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_HEADWORKER_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_HEADWORKER_H

#include "Workspace.h"

namespace mlir::lot {

/// Writes the body of the outlined function of one op: some of its heads, one
/// after the other on one workspace. The arguments of the function:
///
///     first, end, step   the items (pivot heads) it does
///     base, block        where its workspace starts, and in what
///     threads            how many share each pass; only where there are any
///     the operands of the op
///     what else the op's workers share
class HeadWorker {
public:
  virtual ~HeadWorker() = default;

  void emit();

  static SmallVector<Type> getArgumentTypes(const AttentionLike &op,
                                            bool parallel, TypeRange others);

protected:
  HeadWorker(const AttentionLike &op, ImplicitLocOpBuilder &builder,
             ValueRange args, bool parallel);

  /// One item: the key side of one pivot head and its `group` query heads, from
  /// `queryHead` on.
  struct Item {
    Value index, batch, keyHead, pivotHead, queryHead, group;
  };
  virtual void emitItem(const Item &item) = 0;

  // Shapes and strides.
  Value dim(Value memref, int64_t i);
  Value slice(Value memref, ValueRange leading);
  Value divide(Value x, Value y);
  Value tokenSlice(Value mass, Value batch, Value head);
  Value pivotSlice(Value mass, Value batch, Value head);

  /// A loop over the query heads of an item.
  void forQueryHeads(const Item &item, function_ref<void(Value head)> body);

  Value packGlueMass(Value logMass);
  SideTokens makeSide(Value tokens, Value logMass, const SideBuffers &buffers);

  AttentionLike op; ///< with the operands of this function
  PivotMath b;
  Value first, end, step, base, block, threads;
  SmallVector<Value> others;
  Workspace workspace;
  PackedPivots packed;

private:
  void makeWorkspace();
  void clearPadding();
  void packPivots(Value pivots, Value logMass);
};

/// Emits the worker of an op: see HeadWorker.
void emitAttentionWorker(const AttentionLike &op, ImplicitLocOpBuilder &b,
                         ValueRange args, bool parallel);
void emitGradientWorker(const AttentionLike &op, ImplicitLocOpBuilder &b,
                        ValueRange args, bool parallel);

//===----------------------------------------------------------------------===//
// Gradients that heads or batch entries share
//===----------------------------------------------------------------------===//

/// The gradients of a lot.attention_vjp: where its workers write each, and how
/// the inits are made of them afterwards. In the order of the inits.
class GradientBuffers {
public:
  /// Allocates what is not written where it belongs.
  GradientBuffers(const AttentionLike &op, ImplicitLocOpBuilder &b);
  ArrayRef<Value> getTargets() const { return targets; }
  /// Sums them up into the inits, always in the same order, and frees them.
  void emitSums(ImplicitLocOpBuilder &b);

private:
  /// What shares one place of an init.
  enum class Shared { no, byBatch, byHeads, byGroup };
  struct Sum {
    Shared shared;
    Value places, init;
  };
  static void emitSum(ImplicitLocOpBuilder &b, const Sum &sum);

  SmallVector<Value> targets;
  SmallVector<Sum> sums;
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_HEADWORKER_H
