//===- IndexedBuilder.h - linalg on tensors with named dims --------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decompositions are index formulas: every dimension has a letter, a tensor is
// a value with a word, and a letter that the output lacks is summed over. With
// this builder they are written that way:
//
//   t.bind(scores, "bij");
//   Value rowMax = t.generic({{scores, "bij"}, {prev, "bj"}},
//                            {t.fill(-inf, "bi", f32), "bi"}, body);
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_INDEXEDBUILDER_H
#define LOT_LIB_IR_INDEXEDBUILDER_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"

#include <map>
#include <string>

namespace mlir::lot {

class IndexedBuilder : public ImplicitLocOpBuilder {
public:
  /// A tensor and the letters of its dimensions.
  struct Term {
    Value value;
    std::string dims;
  };
  /// Computes the value that a generic yields from one element of each input
  /// and of the output.
  using Body = function_ref<Value(ImplicitLocOpBuilder &, ValueRange)>;

  IndexedBuilder(Location loc, OpBuilder &b) : ImplicitLocOpBuilder(loc, b) {}

  /// Takes the sizes of the letters from `value`; a static size wins over a
  /// dynamic one that was bound before.
  void bind(Value value, StringRef dims);
  void bind(char dim, int64_t size);
  void bind(char dim, OpFoldResult size) { sizes[dim] = size; }
  void bindLike(char dim, char other) { sizes[dim] = size(other); }
  OpFoldResult size(char dim) const;
  /// The size, or ShapedType::kDynamic.
  int64_t staticSize(char dim) const;

  Value empty(StringRef dims, Type element);
  Value fill(double value, StringRef dims, Type element);
  /// One linalg.generic; loops run in the order in which letters appear in
  /// `loops`, and those absent from the output are reductions.
  Value generic(ArrayRef<Term> inputs, Term output, StringRef loops, Body body);
  /// A generic without reductions into a fresh tensor.
  Value map(ArrayRef<Term> inputs, StringRef dims, Type element, Body body);
  /// sum over the letters that `dims` lacks of the product of a and b, each
  /// widened to `element` first; added to `start` if it is given.
  Value contract(Term a, Term b, StringRef dims, StringRef loops, Type element,
                 Value start = Value());
  /// start + the sum of `a` over the letters that `dims` lacks.
  Value sum(Term a, StringRef dims, Value start);

  /// Splits the dim at `position` in two, or joins two to one.
  Value split(Value value, int64_t position, int64_t outer, int64_t inner);
  Value join(Value value, int64_t position);

  /// The slice [.., index, ..] of a tensor at dim `position`, without that dim;
  /// and `into` with it replaced.
  Value extractAt(Value value, int64_t position, OpFoldResult index);
  Value insertAt(Value slice, Value into, int64_t position, OpFoldResult index);
  /// The part [first, first + count) of dim `position`, and `into` with its
  /// part from `first` on replaced.
  Value slice(Value value, int64_t position, int64_t first, int64_t count);
  Value insertFrom(Value part, Value into, int64_t position, int64_t first);

  /// -log(size) as a scalar: the log mass of one of `size` equal parts.
  Value uniformLogMass(char dim, FloatType type);

  /// Casts a tensor to a type that differs in what is static only.
  Value castTo(Value value, Type type);

private:
  struct Slice {
    SmallVector<OpFoldResult> offsets, sizes, strides;
  };
  Slice sliceOf(Value value, int64_t position, OpFoldResult first,
                int64_t count);
  RankedTensorType typeOf(StringRef dims, Type element) const;
  std::map<char, OpFoldResult> sizes;
};

/// Letters of the leading `count` (batch) dimensions: "A", "AB", ...
std::string batchLetters(int64_t count);

} // namespace mlir::lot

#endif // LOT_LIB_IR_INDEXEDBUILDER_H
