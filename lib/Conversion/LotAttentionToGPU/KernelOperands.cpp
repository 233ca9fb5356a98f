//===- KernelOperands.cpp - Operands as kernels take them -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "ClusterSums.h"

#include "lot/Target/GPUTarget.h"

using namespace mlir;
using namespace mlir::lot;

Value lot::makeView(ImplicitLocOpBuilder &b, Value memref, int64_t rank,
                    int64_t at, int64_t inner) {
  auto type = cast<MemRefType>(memref.getType());
  auto parts = memref::ExtractStridedMetadataOp::create(b, memref);
  SmallVector<OpFoldResult> sizes(parts.getSizes()),
      strides(parts.getStrides());
  SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
  SmallVector<int64_t> staticStrides(rank, ShapedType::kDynamic);
  while (static_cast<int64_t>(sizes.size()) < rank) {
    sizes.insert(sizes.begin() + at, b.getIndexAttr(1));
    strides.insert(strides.begin() + at, b.getIndexAttr(0));
  }
  for (int64_t i = 0; i < inner; ++i) {
    shape[rank - 1 - i] = type.getShape()[type.getRank() - 1 - i];
    sizes[rank - 1 - i] = b.getIndexAttr(shape[rank - 1 - i]);
  }
  if (inner) {
    staticStrides.back() = 1;
    strides.back() = b.getIndexAttr(1);
  }
  for (int64_t i = 0; i < rank - inner; ++i)
    sizes[i] = getValueOrCreateConstantIndexOp(b, b.getLoc(), sizes[i]);
  for (int64_t i = 0; i < rank - (inner ? 1 : 0); ++i)
    strides[i] = getValueOrCreateConstantIndexOp(b, b.getLoc(), strides[i]);
  auto result =
      MemRefType::get(shape, type.getElementType(),
                      StridedLayoutAttr::get(
                          b.getContext(), ShapedType::kDynamic, staticStrides));
  return memref::ReinterpretCastOp::create(b, result, parts.getBaseBuffer(),
                                           OpFoldResult(parts.getOffset()),
                                           sizes, strides);
}

void AttentionKernels::makeSides() {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto dim = [&](Value memref, int64_t i) -> Value {
    return memref::DimOp::create(b, memref, i);
  };
  auto divide = [&](Value x, Value y) -> Value {
    return arith::DivUIOp::create(b, x, arith::MaxUIOp::create(b, y, index(1)));
  };
  auto isBatched = [](Value memref, int64_t rank) {
    return memref && cast<MemRefType>(memref.getType()).getRank() == rank;
  };
  query = makeView(b, operands.query, 4, 0, 1);
  key = makeView(b, operands.key, 4, 0, 1);
  value = makeView(b, operands.value, 4, 0, 1);
  pivotOperand = makeView(b, operands.pivots, 4, 0, 2);
  auto pivotView = [&](Value mass) {
    return mass ? makeView(b, mass, 3, 0, 0) : Value();
  };
  pivotMassOperand = pivotView(operands.pivotMass);
  glueMassOperand = pivotView(operands.glueMass);
  bool batched = isBatched(operands.pivots, 4) ||
                 isBatched(operands.pivotMass, 3) ||
                 isBatched(operands.glueMass, 3);

  batch = dim(operands.query, 0);
  Value queryHeads = dim(operands.query, 1), keyHeads = dim(operands.key, 1);
  int64_t headDim = isBatched(operands.pivots, 4) ? 1 : 0;
  Value pivotHeads = dim(operands.pivots, headDim);
  Value pivotBatch = index(batched ? 1 : 0);
  pivotSets = batched ? arith::MulIOp::create(b, batch, pivotHeads).getResult()
                      : pivotHeads;

  auto makeSide = [&](Value tokens, Value length, Value mass, Value heads) {
    SideOperands side;
    side.tokens = tokens;
    side.length = length;
    side.mass = mass ? makeView(b, mass, 3, 1, 0) : Value();
    side.heads = arith::MaxUIOp::create(b, heads, index(1));
    side.problems = arith::MulIOp::create(b, batch, heads);
    // Borders are a function of the length alone: results do not depend on
    // what else is computed.
    Value longest = arith::CeilDivUIOp::create(b, length, index(kMaxGPUChunks));
    Value tiles = arith::CeilDivUIOp::create(b, longest, index(128));
    side.chunkTokens = arith::MaxUIOp::create(
        b, arith::MulIOp::create(b, tiles, index(128)), index(kGPUChunkTokens));
    side.chunks = arith::CeilDivUIOp::create(b, length, side.chunkTokens);
    side.pivotBatch = pivotBatch;
    side.pivotHeads = pivotHeads;
    return side;
  };
  keySide = makeSide(key, dim(operands.key, 2), operands.keyMass, pivotHeads);
  keySide.tokenGroup = divide(pivotHeads, keyHeads);
  keySide.tokenGroup = arith::MaxUIOp::create(b, keySide.tokenGroup, index(1));
  keySide.pivotGroup = index(1);
  keySide.first = index(0);
  querySide =
      makeSide(query, dim(operands.query, 2), operands.queryMass, queryHeads);
  querySide.tokenGroup = index(1);
  querySide.pivotGroup =
      arith::MaxUIOp::create(b, divide(queryHeads, pivotHeads), index(1));
  querySide.first = keySide.problems;

  // A kernel for both sides needs both kinds of operands from each.
  if (static_cast<bool>(querySide.mass) != static_cast<bool>(keySide.mass)) {
    auto flag = [&](bool value) -> Value {
      return arith::ConstantOp::create(b, b.getBoolAttr(value));
    };
    querySide.present = flag(static_cast<bool>(querySide.mass));
    keySide.present = flag(static_cast<bool>(keySide.mass));
    (querySide.mass ? keySide : querySide).mass =
        querySide.mass ? querySide.mass : keySide.mass;
  }
  if (facts.canBeResident())
    makeResidentSides();
}

/// The sides in shares of the blocks of a cluster: even ones, in whole tiles of
/// all warps. Some blocks of a short side may have none.
void AttentionKernels::makeResidentSides() {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto select = [&](Value yes, Value no) -> Value {
    return arith::SelectOp::create(b, isHalf, yes, no);
  };
  // One launch has clusters of one size.
  Value shorter = arith::MinUIOp::create(b, querySide.length, keySide.length);
  Value longer = arith::MaxUIOp::create(b, querySide.length, keySide.length);
  auto atMost = [&](Value size, int64_t most) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, size,
                                 index(most));
  };
  // Tokens of a tile of every warp, and of all.
  int64_t row = facts.residentWarps() * Facts::kTile;
  int64_t tokens = row * facts.residentTiles();
  Value some =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, shorter, index(0));
  isResident =
      arith::AndIOp::create(b, some, atMost(longer, kMaxCluster * tokens));
  Value rowTokens = index(row), blockTokens = index(tokens);
  if (facts.canHalve()) {
    // Two small blocks overlap each other's waits, as long as not too many have
    // to exchange their sums. The blocks of a cluster are on multiprocessors of
    // their own, next to each other: four leave more of them idle than two,
    // which matters more than waits where there are few half-steps.
    constexpr int64_t kMost = 8, kUneven = 4, kManyHalfSteps = 32;
    Value small = arith::CeilDivUIOp::create(b, longer, index(tokens / 2));
    Value even = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, small,
                                       index(kUneven));
    isHalf = atMost(small, kMost);
    if (facts.halfSteps < kManyHalfSteps)
      isHalf = arith::AndIOp::create(b, isHalf, even);
    rowTokens = select(index(row / 2), rowTokens);
    blockTokens = select(index(tokens / 2), blockTokens);
  }
  Value all = arith::CeilDivUIOp::create(b, longer, blockTokens);
  all = arith::MaxUIOp::create(b, all, index(1));
  auto split = [&](SideOperands side) {
    Value share = arith::CeilDivUIOp::create(b, side.length, all);
    Value tiles = arith::CeilDivUIOp::create(b, share, rowTokens);
    side.chunkTokens = arith::MulIOp::create(b, tiles, rowTokens);
    side.chunks = all;
    return side;
  };
  if (facts.isPacked())
    needMail(all);
  residentKeys = split(keySide);
  residentQueries = split(querySide);
}
