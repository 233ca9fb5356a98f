//===- ResidentKernels.cpp - All half-steps of a head in one launch -------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A cluster of blocks owns one side of one head and keeps its scores in
// registers, so the tokens are read once. After each sweep every block writes
// its sums, r values, into the shared memory of all blocks of the cluster,
// which fold them in the order of the blocks. Sequences that are longer than a
// cluster holds take the passes of SweepKernel.cpp.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "Products.h"
#include "ResidentSolve.h"

using namespace mlir;
using namespace mlir::lot;

int64_t Facts::residentTiles() const {
  // 64 registers of scores a lane, half of what two blocks of a multiprocessor
  // leave each.
  if (isPacked())
    return llvm::alignDown(64 / (pivots() / 4), 4);
  return std::min<int64_t>(8, 64 / (pivots() / 2));
}

bool Facts::isPacked() const {
  // Beside the pivots, or G, shared memory has room for rows of all warps.
  constexpr int64_t kMostPivots = 64 * 256;
  bool fits = pivots() <= 64 && dv <= 128 &&
              pivots() * depth() * pivotParts <= kMostPivots &&
              pivots() * valueColumns() * valueParts() <= kMostPivots;
  // Rows are copied 16 bytes at a time.
  return clusters && tensorProducts() && halfSteps >= 2 && fits && d % 8 == 0 &&
         dv % 8 == 0;
}

bool Facts::canBeResident() const {
  GatherShape shape(*this, valueColumns());
  return isPacked() || (clusters && pivots() <= 64 && shape.blocks == 1);
}

void AttentionKernels::emitResidentKeys() {
  Kernel k = makeKernel("resident_keys");
  k.setBlocksPerMultiprocessor(2);
  SideOperands operands = residentKeys.in(k);
  Side side = locate(k, operands, k.block());
  GatherShape shape(facts, facts.valueColumns());
  GatherProduct product(k, facts, shape, makePlanStage(k, facts),
                        facts.residentTiles());
  Matrix pivots = stagePivots(k, side);
  Value values = k.use(value);
  ResidentSolve solve(k, facts, side, pivots, k.use(buffers.pivotMass),
                      /*keySide=*/true,
                      noteStates ? k.use(buffers.states) : Value());
  // The values come in while the half-steps run.
  Values leading{side.batch, side.tokenHead};
  if (product.canPrefetch())
    for (int64_t i = 0; i < solve.getTileCount(); ++i)
      product.prefetchRows(i, side, solve.getTileStart(i), values, leading);
  solve.emitSweeps();

  SmallVector<Values> plans;
  Values columnSums(facts.rowSum() ? facts.pivots() / 4 : 0, k.f32(0));
  for (const Tile &plan : solve.emitPlans()) {
    columnSums = addToColumns(k, plan, columnSums);
    plans.push_back(product.prepare(plan));
  }
  if (product.canPrefetch())
    product.waitForRows();
  Values sums = product.getStart();
  for (auto [i, plan] : llvm::enumerate(plans))
    sums = product.accumulate(plan, side, solve.getTileStart(i), values,
                              leading, k.index(0), sums, i);
  product.store(sums, k.use(buffers.gathered), {side.problem, side.chunk},
                k.index(0));
  if (facts.rowSum())
    storeColumnSums(k, facts, columnSums, k.use(buffers.gatheredSums),
                    {side.problem, side.chunk});
  k.launchTeams(b, residentKeys.problems, residentKeys.chunks);
}

void AttentionKernels::emitResidentQueries(Value out) {
  Kernel k = makeKernel("resident_queries");
  k.setBlocksPerMultiprocessor(2);
  Side side = locate(k, residentQueries.in(k), k.block());
  Value plans = makePlanStage(k, facts);
  Matrix pivots = stagePivots(k, side);
  Value keyProblem = getKeyProblem(k, side);
  ApplyProduct product(k, facts, k.use(buffers.values.transposed), keyProblem,
                       facts.dv, plans);
  Value rowSums;
  if (facts.rowSum())
    rowSums = stageVector(k, k.use(buffers.values.extra), keyProblem);
  Value result = k.use(out);
  ResidentSolve solve(k, facts, side, pivots, k.use(buffers.pivotMass),
                      /*keySide=*/false,
                      noteStates ? k.use(buffers.states) : Value());
  solve.emitSweeps();
  for (auto [i, plan] : llvm::enumerate(solve.emitPlans())) {
    Value tile = solve.getTileStart(i);
    Rows rows = locateRows(k, side, tile);
    Value factor[2];
    for (int64_t row = 0; row < 2; ++row)
      factor[row] =
          emitRowFactor(k, plan, rows, rowSums, k.f32(facts.outScale), row);
    product.emit(plan, factor, side, tile, result, {side.batch, side.head});
  }
  k.launchTeams(b, residentQueries.problems, residentQueries.chunks);
}
