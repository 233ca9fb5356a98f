//===- Sides.h - What kernels know of a problem -----------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The facts that kernels are specialised on, and the query or key side of one
// problem (a head of one batch entry) with its rows of tokens. All potentials,
// masses and scores are base-2 logarithms.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SIDES_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SIDES_H

#include "Kernel.h"

#include "lot/IR/Lot.h"
#include "lot/Target/GPUTarget.h"

#include "llvm/Support/MathExtras.h"

namespace mlir::lot {

/// Rows that tokens are multiplied with, a pivot each, in memory.
struct RowFormat {
  int64_t columns;
  int64_t parts; ///< a row is the sum of so many
  bool words;    ///< 16-bit values
  int64_t depth() const { return llvm::alignTo(columns, 32); }
  /// Rows are an odd number of 64 bytes apart (16-bit), or of 16 bytes: what
  /// lanes read together is in different banks.
  int64_t stride() const {
    int64_t all = depth() * parts;
    if (!words)
      return all + 4;
    return all % 64 ? all : all + 32;
  }
};

/// What is the same for all launches of a class of problems.
struct Facts {
  template <typename OpTy>
  Facts(OpTy op, const GPUTarget &target)
      : sharedLimit(target.sharedMemory), clusters(target.clusters),
        overlaps(target.overlaps), warpgroups(target.warpgroups),
        d(op.getHeadDim()), dv(op.getValueDim()), r(op.getNumPivots()),
        halfSteps(op.getHalfSteps()),
        io(getElementTypeOrSelf(op.getQuery().getType())),
        normalization(op.getNormalization()),
        rowFloor(op.getRowFloor().convertToDouble()),
        outScale(op.getOutScale().convertToDouble()) {
    Type pivotElement = getElementTypeOrSelf(op.getPivots().getType());
    // f16 has no room for the parts of an f32: those products are in f32.
    tensorCores = pivotElement == io ? !io.isF32() : io.isBF16();
    pivotParts = tensorCores && pivotElement != io ? 3 : 1;
    double epsilon = op.getEpsilon().convertToDouble();
    naturalScale = op.getScaleOrDefault() / epsilon;
    scoreScale = naturalScale * llvm::numbers::log2e;
    if (op.getScoreClamp())
      clamp = op.getScoreClamp()->convertToDouble() / epsilon *
              llvm::numbers::log2e;
  }

  int64_t sharedLimit; ///< bytes of shared memory that a block may have
  bool clusters;       ///< blocks can be launched in clusters
  bool overlaps;       ///< a kernel can start while those before it run
  bool warpgroups;     ///< four warps can multiply together
  int64_t d, dv, r, halfSteps;
  Type io;          ///< f16, bf16 or f32
  bool tensorCores; ///< scores by mma of io values
  /// Gradients of log masses are small differences of large sums, which 16-bit
  /// operands of the products with values would not leave right: G, dG and the
  /// plans that they are made with are then sums of several.
  bool exactProducts = false;
  /// Pivots are io values, or sums of this many of them (f32 pivots of bf16
  /// queries).
  int64_t pivotParts;
  double naturalScale; ///< scale / epsilon
  double scoreScale;   ///< the same times log2(e)
  std::optional<double> clamp;
  Normalization normalization;
  double rowFloor, outScale;

  static constexpr int64_t kWarps = 8;
  static constexpr int64_t kThreads = kWarps * kWarp;
  /// Tokens of a tile of one warp.
  static constexpr int64_t kTile = 16;
  /// A copy in shared memory that does no harm to what else a multiprocessor
  /// runs takes at most so many bytes.
  static constexpr int64_t kCopyBytes = 96 * 1024;

  /// Products of plans with values by mma. Plans have the range of f32, which
  /// f16 has not.
  bool tensorProducts() const { return tensorCores && io.isBF16(); }
  /// 16-bit values that such an operand is the sum of: 24 bits.
  int64_t valueParts() const {
    return exactProducts && tensorProducts() ? 3 : 1;
  }
  int64_t pivots() const { return llvm::alignTo(r, 16); }
  int64_t depth() const { return llvm::alignTo(d, 32); }
  int64_t valueColumns() const { return llvm::alignTo(dv, 32); }
  /// Pivots, G or dG as dots read them: `parts` times `columns` of a row.
  RowFormat pivotFormat() const { return {d, pivotParts, tensorCores}; }
  RowFormat valueFormat() const { return {dv, valueParts(), tensorProducts()}; }
  Type rowType(Builder &b, RowFormat format) const {
    return format.words ? io : b.getF32Type();
  }
  Type productType(Builder &b) const {
    return tensorProducts() ? io : b.getF32Type();
  }
  int64_t getBytes(RowFormat format) const {
    return pivots() * format.stride() * (format.words ? 2 : 4);
  }
  /// Whether scores can be left without their scale for a while.
  bool rawScores() const { return !clamp && scoreScale > 0; }
  bool rowSum() const { return normalization == Normalization::row_sum; }

  /// Whether a cluster can keep the scores of a head, in 16 bits (`isPacked`)
  /// or in f32, and tiles of a warp then.
  bool canBeResident() const;
  bool isPacked() const;
  int64_t residentTiles() const;
  int64_t residentWarps() const { return isPacked() ? 16 : kWarps; }
  /// Packed: whether blocks of half as many warps, two on a multiprocessor,
  /// have enough shared memory, and bytes of a warp for rows then or else.
  bool canHalve() const { return isPacked() && residentBytes(true) >= 8192; }
  int64_t residentBytes(bool half) const;

  // Sweeps and states of the two sides.
  int64_t querySweeps() const { return halfSteps / 2; }
  int64_t keySweeps() const { return 1 + (halfSteps - 1) / 2; }
  int64_t states() const { return residuals().states; }
  /// The state that the last token step reads; none on the key side at T = 1.
  int64_t queryPrev() const { return (halfSteps - 1) / 2; }
  int64_t keyPrev() const { return halfSteps / 2; }
  bool keyTokenStep() const { return halfSteps > 1; }

  GPUResiduals residuals() const {
    return GPUResiduals(r, dv, halfSteps, rowSum());
  }
};

/// One side of all problems, values of the host or of a kernel.
struct SideOperands {
  Value tokens;  ///< [B, heads, length, d]
  Value mass;    ///< [B, heads, length], natural logarithms; null: uniform
  Value present; ///< i1: whether mass is; null: as mass tells
  Value length;
  Value heads;      ///< problems of a batch entry
  Value tokenGroup; ///< heads that share tokens
  Value pivotGroup; ///< heads that share pivots
  Value problems;   ///< batch * heads
  Value first;      ///< of the problems, in the order of all
  Value chunkTokens, chunks;
  /// In packed pivots: (batch * pivotBatch) * pivotHeads + pivot head.
  Value pivotBatch, pivotHeads;

  SideOperands in(Kernel &k) const;
};

/// What one block works on.
struct Side : SideOperands {
  Value batch, head, tokenHead, pivotIndex;
  Value problem; ///< among all of both sides
  Value chunk, begin, end;
};

/// The numbers of a Side in shared memory, for a long kernel's parts to read
/// again: kept from its start, they take registers that it needs.
class SharedSide {
public:
  /// Of a side whose operands are `yes` where `condition` is true, else `no`.
  /// A barrier has to follow.
  SharedSide(Kernel &k, const Side &side, Value condition,
             const SideOperands &yes, const SideOperands &no);
  Side load(Kernel &k) const;

private:
  SideOperands yes, no;
  Value numbers;
};

/// A side is one that was read again, where this lives.
class FreshSide {
public:
  FreshSide(Kernel &k, Side &side, const SharedSide &numbers)
      : side(side), before(side) {
    side = numbers.load(k);
  }
  ~FreshSide() { side = before; }
  FreshSide(const FreshSide &) = delete;

private:
  Side &side;
  Side before;
};

/// The side and chunk of `block`, which counts chunks, then problems.
Side locate(Kernel &k, const SideOperands &side, Value block);
Side locate(Kernel &k, const SideOperands &side, Value problem, Value chunk);
SideOperands select(Kernel &k, Value condition, const SideOperands &yes,
                    const SideOperands &no);

/// The two rows of a lane in a tile of 16 tokens, as mma has them: lane / 4,
/// and 8 after.
struct Rows {
  Value index[2]; ///< at most length - 1
  Value live[2];  ///< in the chunk, and with mass
  Value mass[2];  ///< -inf where not live
  Value masked;   ///< static knowledge: null if all rows inside are live
};
Rows locateRows(Kernel &k, const Side &side, Value tile);
/// `body` where a row of the warp is live, as far as rows have masses, else
/// `absent`, if there is one; `carried` or what `body` makes of it.
Values ifAnyLive(Kernel &k, const Rows &rows, ValueRange carried,
                 function_ref<Values()> body, Value tile,
                 function_ref<void(Value tile)> absent);

/// The token of row `row` of a tile, at most the last, and whether it is in the
/// chunk and has mass.
std::pair<Value, Value> locateToken(Kernel &k, const Side &side, Value tile,
                                    Value row);

/// `count` columns of a row as a vector; 0 past the last column and where not
/// `live`.
Value loadRow(Kernel &k, Value memref, ValueRange leading, Value column,
              int64_t count, Value live);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SIDES_H
