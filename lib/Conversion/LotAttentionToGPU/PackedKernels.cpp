//===- PackedKernels.cpp - Both sides of a head in one launch -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A cluster of blocks owns one side of one head (PackedSolve.h). Clusters of
// keys come first: each block leaves its part of G = R2 V and signals. Blocks
// of queries do their half-steps meanwhile, wait for the parts of their keys,
// and write O = R1 G. Blocks are started in order, so that nobody waits for who
// has no place.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "PackedProducts.h"
#include "PackedSolve.h"
#include "Products.h"
#include "SlabGather.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The end of the query side: O_i = u_i sum_j E_ij (v_j G_j).
class PackedApply {
public:
  PackedApply(Kernel &k, const Facts &facts, const Side &side,
              const SharedRegion &memory);

  /// G of a key problem from the parts of its blocks, in their order; `ratio`:
  /// what its rows are multiplied by.
  void stage(PackedSolve &solve, Value problem, Value parts, Value extra,
             Value ratio);

  Kernel &k;
  const Facts &facts;
  const Side &side;
  Value staged;    ///< shared [1][columns][pivots + 8] of f16: (v G)^T / scale
  Value largest;   ///< shared [warps]
  Value extraSums; ///< shared [pivots]: v_j times sums of one more column
  Value scale;     ///< a power of two
};
} // namespace

PackedApply::PackedApply(Kernel &k, const Facts &facts, const Side &side,
                         const SharedRegion &memory)
    : k(k), facts(facts), side(side) {
  int64_t columns = facts.valueColumns(), stride = facts.pivots() + 8;
  SharedRegion whole{k, memory.bytes, 1, memory.parts * memory.partBytes};
  staged = whole.view(0, {columns, stride}, stride, k.getF16Type());
  largest = k.shared.allocate({k.getWarps()}, k.getF32Type());
  if (facts.rowSum())
    extraSums = k.shared.allocate({facts.pivots()}, k.getF32Type());
}

void PackedApply::stage(PackedSolve &solve, Value problem, Value parts,
                        Value extra, Value ratio) {
  int64_t columns = facts.valueColumns(), pivots = facts.pivots();
  int64_t vectors = pivots * columns / 4;
  Value zero = k.zeros(VectorType::get({4}, k.getF32Type()));
  auto scaleOf = [&](Value j, Value sum) {
    Value factor = k.load(solve.getPivotFactors(), j);
    if (ratio)
      factor = k.mulf(factor, k.load(ratio, {side.pivotIndex, j}));
    if (isa<VectorType>(sum.getType()))
      factor = k.pack(Values(4, factor));
    return k.mulf(sum, factor);
  };
  // Few enough for registers.
  Values rows, firsts, sums;
  Value max = k.f32(0);
  for (int64_t from = 0; from < vectors; from += k.getThreads()) {
    Value i = k.min(k.add(k.thread(), from), k.index(vectors - 1));
    Value j = k.div(i, columns / 4), c = k.mul(k.rem(i, columns / 4), 4);
    Value sum =
        scaleOf(j, k.sumInOrder(
                       side.chunks,
                       [&](Value chunk) {
                         return k.loadVector(parts, {problem, chunk, j, c}, 4);
                       },
                       zero));
    for (int64_t e = 0; e < 4; ++e) {
      Value g = k.element(sum, e);
      max = k.maxf(max, k.maxf(g, k.negf(g)));
    }
    rows.push_back(j);
    firsts.push_back(c);
    sums.push_back(sum);
  }
  if (extra)
    k.ifThen(k.less(k.thread(), k.index(pivots)), [&] {
      Value sum = k.sumInOrder(side.chunks, [&](Value chunk) {
        return k.load(extra, {problem, chunk, k.thread()});
      });
      k.store(scaleOf(k.thread(), sum), extraSums, k.thread());
    });
  max = k.maxLanes(max, {1, 2, 4, 8, 16});
  k.ifThen(k.equal(k.lane(), 0), [&] { k.store(max, largest, k.warp()); });
  k.barrier();
  Value all = k.load(largest, k.rem(k.lane(), k.getWarps()));
  all = k.maxLanes(all, {1, 2, 4, 8, 16});
  // The largest is 2^8 in f16.
  Value exponent = k.powerOfTwo(k.maxf(all, k.f32(0x1p-100)));
  scale = k.mulf(exponent, k.f32(0x1p-8));
  Value inverse = k.mulf(k.reciprocal(exponent), k.f32(0x1p+8));
  for (auto [j, c, sum] : llvm::zip(rows, firsts, sums)) {
    Value factor = k.pack(Values(4, inverse));
    Value halves = k.convert(k.mulf(sum, factor), k.getF16Type());
    for (int64_t e = 0; e < 4; ++e)
      k.store(k.element(halves, e), staged, {k.index(0), k.add(c, e), j});
  }
}

/// Bytes of a warp for the rings: what is left of what is enough.
static int64_t getRegionBytes(const Kernel &k, const Facts &facts) {
  int64_t warps = k.getWarps(), r = facts.pivots();
  int64_t sums = 4 * (r + 1) * 2 * (warps + kMaxCluster) + 4 * warps * r * 2;
  int64_t rows = 4 * warps * facts.residentTiles() * Facts::kTile;
  constexpr int64_t kVectors = 4 * 1024;
  int64_t left =
      facts.sharedLimit - k.shared.getBytes() - sums - rows - kVectors;
  return std::min<int64_t>(SlabGather::kBytes,
                           llvm::alignDown(left / warps, 256));
}

void AttentionKernels::emitPackedResident(Value out) {
  Kernel k(module, "resident", b.getLoc(), facts.residentWarps() * kWarp,
           facts.sharedLimit);
  SideOperands keys = residentKeys.in(k), queries = residentQueries.in(k);
  Value split = k.mul(keys.problems, keys.chunks);
  Value isKey = k.less(k.block(), split);
  Value block = k.select(isKey, k.block(), k.sub(k.block(), split));
  Side side = locate(k, select(k, isKey, keys, queries), block);
  Matrix pivots{stageMatrix(k, facts, k.use(buffers.pivots), side.pivotIndex,
                            facts.pivotFormat()),
                {}};
  // Tokens, then rows of values; on the query side G.
  SharedRegion memory =
      k.shared.allocateRegion(k.getWarps(), getRegionBytes(k, facts));
  PackedApply apply(k, facts, side, memory);
  Value values = k.use(value), parts = k.use(buffers.gathered);
  Value extra = facts.rowSum() ? k.use(buffers.gatheredSums) : Value();
  Value signals = k.use(buffers.signals), ratio = k.use(buffers.glueRatio);
  Value result = k.use(out);

  PackedSolve solve(k, facts, side, isKey, pivots, k.use(buffers.pivotMass),
                    noteStates ? k.use(buffers.states) : Value(), memory);
  solve.emitSweeps();
  auto tileStart = [&](int64_t i) { return solve.getTileStart(i); };
  WarpRing::Source source{side, values, {side.batch, side.tokenHead}, facts.dv};
  SlabGather gather(k, facts, facts.dv, memory);
  // The first values come in while the plans are made.
  k.ifThen(isKey, [&] {
    KernelBuilder::FreshThread fresh(k);
    gather.prefetch(source, tileStart);
  });
  solve.emitPlans();

  auto emitKeys = [&] {
    KernelBuilder::FreshThread fresh(k);
    Values leading{side.problem, side.chunk};
    // With u, in the range of f32.
    SmallVector<Values> plans;
    for (int64_t i = 0; i < facts.residentTiles(); ++i) {
      std::array<Value, 2> u = solve.loadRowFactors(i);
      Tile plan = unpackTile(k, k.getF16Type(), solve.getTile(i));
      for (auto [at, entry] : llvm::enumerate(plan))
        entry = k.mulf(entry, u[rowOf(at)]);
      plans.push_back(packTile(k, facts.io, plan));
    }
    if (extra) {
      Values sums(facts.pivots() / 4, k.f32(0));
      for (const Values &words : plans)
        sums = addToColumns(k, unpackTile(k, facts.io, words), sums);
      Values v = loadColumns(k, facts, solve.getPivotFactors());
      for (auto [sum, factor] : llvm::zip(sums, v))
        sum = k.mulf(sum, factor);
      storeColumnSums(k, facts, sums, extra, leading);
    }
    auto pivotFactor = [&](Value pivot) {
      return k.load(solve.getPivotFactors(), pivot);
    };
    gather.emit(source, tileStart, plans, pivotFactor, parts, leading);
    if (out)
      k.signal(signals, side.problem);
  };
  auto emitQueries = [&] {
    KernelBuilder::FreshThread fresh(k);
    Value keyProblem = getKeyProblem(k, side);
    k.waitForSignals(signals, keyProblem, side.chunks);
    apply.stage(solve, keyProblem, parts, extra, ratio);
    k.barrier();
    ApplyProduct product(k, facts, Matrix{apply.staged, {k.index(0)}},
                         facts.dv);
    auto factor = [&](int64_t i) {
      std::array<Value, 2> u = solve.loadRowFactors(i);
      Rows rows;
      if (facts.normalization != Normalization::query_mass)
        rows = locateRows(k, side, tileStart(i));
      Values columns;
      Tile entries;
      if (facts.rowSum()) {
        columns = loadColumns(k, facts, apply.extraSums);
        entries = unpackTile(k, k.getF16Type(), solve.getTile(i));
      }
      for (int64_t row = 0; row < 2; ++row) {
        Value sum;
        if (facts.rowSum()) {
          sum = k.f32(0);
          for (auto [at, entry] : llvm::enumerate(entries))
            if (rowOf(at) == row)
              sum = k.fma(entry, columns[at / 4 * 2 + at % 2], sum);
          sum = k.mulf(k.sumLanes(sum, {1, 2}), u[row]);
        }
        Value more = emitRowFactor(k, sum, rows, k.f32(facts.outScale), row);
        u[row] = k.mulf(k.mulf(u[row], apply.scale), more);
      }
      return u;
    };
    product.emitAll(facts.residentTiles(),
                    [&](int64_t i) { return solve.getTile(i); }, tileStart,
                    factor, side, result, {side.batch, side.head});
  };
  k.ifElse(
      isKey, TypeRange(),
      [&] {
        emitKeys();
        return Values{};
      },
      [&] {
        if (out)
          emitQueries();
        return Values{};
      });
  Value blocks = arith::MulIOp::create(
      b,
      arith::AddIOp::create(b, residentKeys.problems, residentQueries.problems),
      residentKeys.chunks);
  k.launch(b, blocks, residentKeys.chunks);
}
