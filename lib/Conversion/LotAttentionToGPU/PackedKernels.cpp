//===- PackedKernels.cpp - Both sides of a head in one launch -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A cluster of blocks owns one side of one head (PackedSolve.h). A block of
// keys leaves its part of G = R2 V and signals; one of queries does its
// half-steps, waits for the parts of its keys, and writes O = R1 G. Clusters
// are started in order, keys some way ahead of their queries, so that nobody
// waits for who has no place; from then on they alternate, so that some read
// while others write and iterate.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "PackedProducts.h"
#include "PackedSolve.h"
#include "Products.h"
#include "SlabGather.h"
#include "StagedScores.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The end of the query side: O_i = u_i sum_j E_ij (v_j G_j).
class PackedApply {
public:
  PackedApply(Kernel &k, const Facts &facts, const Side &side,
              const SharedRegion &memory);

  /// G of a key problem from the parts of its blocks, in their order; `ratio`:
  /// what its rows are multiplied by. If there are `kept`, G goes there, too.
  void stage(PackedSolve &solve, Value problem, Value parts, Value extra,
             Value ratio, Value kept, Value keptExtra);

  Value staged;    ///< shared [columns][pivots + 8] of f16: (v G)^T / scale,
                   ///< rows as ApplyProduct::locateColumn has them
  Value extraSums; ///< shared [pivots]: v_j times sums of one more column
  Value scale;     ///< a power of two

private:
  /// Sums over the blocks of a cluster of four columns each.
  Values addParts(Value problem, Value parts, ArrayRef<Value> rows,
                  ArrayRef<Value> columns);

  Kernel &k;
  const Facts &facts;
  const Side &side;
  Value largest; ///< shared [warps]
};
} // namespace

PackedApply::PackedApply(Kernel &k, const Facts &facts, const Side &side,
                         const SharedRegion &memory)
    : k(k), facts(facts), side(side) {
  int64_t columns = facts.valueColumns(), stride = facts.pivots() + 8;
  auto space = cast<MemRefType>(memory.bytes.getType()).getMemorySpace();
  auto type = MemRefType::get({columns, stride}, k.getF16Type(),
                              MemRefLayoutAttrInterface(), space);
  staged =
      memref::ViewOp::create(k, type, memory.bytes, k.index(0), ValueRange());
  largest = k.shared.allocate({k.getWarps()}, k.getF32Type());
  if (facts.rowSum())
    extraSums = k.shared.allocate({facts.pivots()}, k.getF32Type());
}

Values PackedApply::addParts(Value problem, Value parts, ArrayRef<Value> rows,
                             ArrayRef<Value> columns) {
  auto load = [&](Value chunk, size_t i) {
    return k.loadVector(parts, {problem, chunk, rows[i], columns[i]}, 4);
  };
  Type four = VectorType::get({4}, k.getF32Type());
  SmallVector<Type> types(rows.size(), four);
  auto inOrder = [&]() -> Values {
    Values sums;
    for (size_t i = 0; i < rows.size(); ++i)
      sums.push_back(k.sumInOrder(
          side.chunks, [&](Value chunk) { return load(chunk, i); },
          k.zeros(cast<VectorType>(four))));
    return sums;
  };
  // Few blocks, `most` or one less: all parts are asked for before any is
  // added.
  Value chunks = k.narrow(side.chunks);
  auto together = [&](int64_t most) -> Values {
    Value last = k.index(most - 1);
    SmallVector<Values> loaded(most);
    for (int64_t chunk = 0; chunk < most; ++chunk) {
      Value at = k.index(chunk);
      if (chunk + 1 == most)
        at = k.min(last, k.sub(side.chunks, k.index(1)));
      for (size_t i = 0; i < rows.size(); ++i)
        loaded[chunk].push_back(load(at, i));
    }
    Value all = k.invert(k.lessNarrow(chunks, k.index(most)));
    Values sums = loaded[0];
    for (int64_t chunk = 1; chunk < most; ++chunk)
      for (auto [sum, part] : llvm::zip(sums, loaded[chunk])) {
        Value more = k.addf(sum, part);
        sum = chunk + 1 == most ? k.select(all, more, sum) : more;
      }
    return sums;
  };
  auto ifFew = [&](int64_t most, function_ref<Values()> otherwise) {
    constexpr int64_t kMost = 8; // vectors that there are registers for
    if (most * static_cast<int64_t>(rows.size()) > kMost)
      return otherwise();
    return k.ifElse(
        k.lessNarrow(chunks, k.index(most + 1)), types,
        [&] { return together(most); }, otherwise);
  };
  return ifFew(2, [&] { return ifFew(4, inOrder); });
}

void PackedApply::stage(PackedSolve &solve, Value problem, Value parts,
                        Value extra, Value ratio, Value kept, Value keptExtra) {
  int64_t columns = facts.valueColumns(), pivots = facts.pivots();
  int64_t vectors = pivots * columns / 4;
  auto scaleOf = [&](Value j, Value sum) {
    Value factor = k.load(solve.getPivotFactors(), j);
    if (ratio)
      factor = k.mulf(factor, k.load(ratio, {side.pivotIndex, j}));
    if (isa<VectorType>(sum.getType()))
      factor = k.pack(Values(4, factor));
    return k.mulf(sum, factor);
  };
  // The first block of those that read it.
  Value keeps = k.both(k.equal(side.chunk, 0),
                       k.equal(k.remNarrow(side.head, side.pivotGroup), 0));
  auto keep = [&](Value j, Value sum, function_ref<void(Value)> store) {
    k.ifThen(keeps, [&] {
      Value factor = ratio ? k.load(ratio, {side.pivotIndex, j}) : k.f32(1);
      if (isa<VectorType>(sum.getType()))
        factor = k.pack(Values(4, factor));
      store(ratio ? k.mulf(sum, factor) : sum);
    });
  };
  // Few enough for registers.
  Values inside, rows, firsts;
  Value i = k.thread();
  for (int64_t from = 0; from < vectors; from += k.getLeastThreads()) {
    inside.push_back(k.less(i, k.index(vectors)));
    Value at = k.min(i, k.index(vectors - 1));
    rows.push_back(k.div(at, columns / 4));
    firsts.push_back(k.mul(k.rem(at, columns / 4), 4));
    i = k.add(i, k.threadCount());
  }
  auto add = [&](size_t count) {
    return addParts(problem, parts, ArrayRef(rows).take_front(count),
                    ArrayRef(firsts).take_front(count));
  };
  Values sums;
  if (k.getLeastThreads() < k.getThreads() && rows.size() == 2) {
    // Blocks with all threads are done with the first ones.
    Value zero = k.zeros(VectorType::get({4}, k.getF32Type()));
    SmallVector<Type> types(2, zero.getType());
    sums = k.ifElse(
        k.less(k.threadCount(), k.index(vectors)), types,
        [&] { return add(2); }, [&] { return Values{add(1)[0], zero}; });
  } else {
    sums = add(rows.size());
  }
  Value max = k.f32(0);
  for (auto [some, j, c, sum] : llvm::zip(inside, rows, firsts, sums)) {
    if (kept)
      k.ifThen(some, [&, j = j, c = c, sum = sum] {
        keep(j, sum, [&](Value g) { k.storeVector(g, kept, {problem, j, c}); });
      });
    sum = scaleOf(j, sum);
    for (int64_t e = 0; e < 4; ++e) {
      Value g = k.element(sum, e);
      max = k.maxf(max, k.maxf(g, k.negf(g)));
    }
  }
  if (extra)
    k.ifThen(k.less(k.thread(), k.index(pivots)), [&] {
      Value sum = k.sumInOrder(side.chunks, [&](Value chunk) {
        return k.load(extra, {problem, chunk, k.thread()});
      });
      if (keptExtra)
        keep(k.thread(), sum,
             [&](Value g) { k.store(g, keptExtra, {problem, k.thread()}); });
      k.store(scaleOf(k.thread(), sum), extraSums, k.thread());
    });
  max = k.maxOfPositive(max);
  k.ifThen(k.equal(k.lane(), 0), [&] { k.store(max, largest, k.warp()); });
  k.barrier();
  Value all =
      k.load(largest, k.min(k.lane(), k.sub(k.warpCount(), k.index(1))));
  all = k.maxOfPositive(all);
  // The largest is 2^8 in f16.
  Value exponent = k.powerOfTwo(k.maxf(all, k.f32(0x1p-100)));
  scale = k.mulf(exponent, k.f32(0x1p-8));
  Value inverse = k.mulf(k.reciprocal(exponent), k.f32(0x1p+8));
  for (auto [some, j, c, sum] : llvm::zip(inside, rows, firsts, sums))
    k.ifThen(some, [&, j = j, c = c, sum = sum] {
      Value factor = k.pack(Values(4, inverse));
      Value halves = k.convert(k.mulf(sum, factor), k.getF16Type());
      for (int64_t e = 0; e < 4; ++e)
        k.store(k.element(halves, e), staged,
                {ApplyProduct::locateColumn(k, k.add(c, e)), j});
    });
}

/// Shared memory of a block beside the rows of its warps.
static int64_t getFixedBytes(const Facts &facts) {
  int64_t warps = facts.residentWarps(), r = facts.pivots();
  RowFormat format = facts.pivotFormat();
  int64_t matrix = r * (llvm::alignTo(format.depth() * format.parts, 64) + 8);
  int64_t sample = Facts::kTile * getStagedStride(facts.d);
  int64_t sums = 2 * (r + 1) * (warps + kMaxCluster) + 4 * warps * r;
  int64_t rows = warps * facts.residentTiles() * Facts::kTile;
  int64_t extra = facts.rowSum() ? warps * r : 0;
  constexpr int64_t kVectors = 4 * 1024;
  return 2 * (matrix + sample) + 4 * (sums + rows + extra) + kVectors;
}

int64_t Facts::residentBytes(bool half) const {
  // A multiprocessor has 1 KB for each block beside what they may have.
  int64_t limit = half ? sharedLimit / 2 - 512 : sharedLimit;
  int64_t left = (limit - getFixedBytes(*this)) * (half ? 2 : 1);
  return std::min<int64_t>(SlabGather::kBytes,
                           llvm::alignDown(left / residentWarps(), 256));
}

/// The side and problem of place `at` in the order that they are taken in:
/// `lead` problems of keys, then the queries of a key problem, one of keys, and
/// so on.
static std::pair<Value, Value> locateProblem(Kernel &k, Value at, Value keys,
                                             Value group, Value lead) {
  Value rest = k.sub(at, lead), unit = k.add(group, 1);
  Value turn = k.divNarrow(rest, unit), place = k.remNarrow(rest, unit);
  Value isFirst = k.less(at, lead);
  Value isLast = k.invert(k.less(turn, k.sub(keys, lead)));
  Value isKey = k.either(
      isFirst,
      k.both(k.invert(isLast),
             arith::CmpIOp::create(k, arith::CmpIPredicate::eq, place, group)));
  Value key = k.select(isFirst, at, k.add(turn, lead));
  Value query =
      k.select(isLast, k.sub(at, keys), k.add(k.mul(turn, group), place));
  return {isKey, k.select(isKey, key, query)};
}

std::pair<Value, Value> AttentionKernels::makeClusterOrder() {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  // Less than what runs at once, so that the first queries start with the
  // keys, but enough for them to find their keys done. Where all run at once,
  // queries wait for their keys in any case.
  constexpr int64_t kLeadingWarps = 768;
  Value warps = index(facts.residentWarps());
  if (isHalf)
    warps = arith::SelectOp::create(b, isHalf, index(facts.residentWarps() / 2),
                                    warps);
  Value lead = arith::CeilDivUIOp::create(
      b, index(kLeadingWarps),
      arith::MulIOp::create(b, warps, residentKeys.chunks));
  Value keys = residentKeys.problems;
  Value all = arith::MulIOp::create(b, countProblems(), residentKeys.chunks);
  all = arith::MulIOp::create(b, all, warps);
  Value room = arith::MulIOp::create(b, countMultiprocessors(),
                                     index(facts.residentWarps()));
  Value atOnce = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, all, room);
  lead = arith::SelectOp::create(b, atOnce, keys, lead);
  Value some = arith::MaxUIOp::create(b, keys, index(1));
  return {arith::DivUIOp::create(b, residentQueries.problems, some),
          arith::MinUIOp::create(b, lead, keys)};
}

StagedCopy AttentionKernels::stageOwnPivots(Kernel &k, const Side &side) {
  if (!readsPivots())
    return stageMatrix(k, facts, k.use(buffers.pivots), side.pivotIndex,
                       facts.pivotFormat());
  Values leading{k.mul(side.batch, side.pivotBatch),
                 k.divNarrow(side.head, side.pivotGroup)};
  StagedCopy staged =
      stageMatrix(k, facts, k.use(pivotOperand), leading, facts.pivotFormat());
  staged.byElement = true;
  Value zero = arith::ConstantIndexOp::create(b, 0);
  staged.aligned = k.use(arith::CmpIOp::create(
      b, arith::CmpIPredicate::eq, getOddBytes(pivotOperand, 16), zero));
  return staged;
}

void AttentionKernels::needMail(Value teamSize) {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  Value problems = countProblems();
  Value blocks = arith::MulIOp::create(b, problems, teamSize);
  blocks = arith::MinUIOp::create(b, blocks, index(Kernel::kMostSpread));
  mailBlocks =
      mailBlocks ? arith::MaxUIOp::create(b, mailBlocks, blocks) : blocks;
}

void AttentionKernels::spreadTeams(Kernel &k, Value teamSize) {
  Value problems = countProblems();
  k.spreadTeams(b, problems, teamSize, countMultiprocessors());
}

void AttentionKernels::emitPackedResident(Value out) {
  Kernel k(module, "resident", b.getLoc(), facts.residentWarps() * kWarp,
           facts.sharedLimit,
           facts.overlaps ? Overlap::WithBothLater : Overlap::None);
  if (isHalf)
    k.halveIf(isHalf);
  spreadTeams(k, residentKeys.chunks);
  Value problems = countProblems();
  k.forProblems(k.use(problems), k.index(0), [&](Value at, Value turn) {
    return emitPackedResident(k, out, at, turn);
  });
  k.launchTeams(b, problems, residentKeys.chunks);
}

Value AttentionKernels::emitPackedResident(Kernel &k, Value out, Value at,
                                           Value turn) {
  auto [hostGroup, hostLead] = makeClusterOrder();
  SideOperands keys = residentKeys.in(k), queries = residentQueries.in(k);
  auto [isKey, problem] =
      locateProblem(k, at, keys.problems, k.use(hostGroup), k.use(hostLead));
  Side side = locate(k, select(k, isKey, keys, queries), problem, k.teamRank());
  SharedSide numbers(k, side, isKey, keys, queries);
  // Tokens, then rows of values; on the query side G.
  SharedRegion memory = k.shared.allocateLast(
      k.getWarps(), facts.residentBytes(facts.canHalve()));
  Value sample;
  auto copyTokens = [&, isKey = isKey] {
    sample = PackedSolve::startCopies(k, facts, side, isKey, memory);
  };
  StagedCopy staged = stageOwnPivots(k, side);
  if (readsPivots()) {
    // Before those of tokens, which take as long as memory gives them.
    emitCopies(k, staged, copyTokens);
  } else {
    copyTokens();
    if (facts.overlaps)
      k.waitForEarlier();
    emitCopies(k, staged);
  }
  Matrix pivots{staged.shared, {}};
  PackedApply apply(k, facts, side, memory);
  Value values = k.use(value), parts = k.use(buffers.gathered);
  Value extra = facts.rowSum() ? k.use(buffers.gatheredSums) : Value();
  Value signals = k.use(buffers.signals), ratio = k.use(buffers.glueRatio);
  Value result = k.use(out);
  Value kept = noteStates ? k.use(buffers.values.sums) : Value();
  Value keptExtra = noteStates ? k.use(buffers.values.extra) : Value();

  Value masses = readsPivots() ? Value() : k.use(buffers.pivotMass);
  PackedSolve solve(k, facts, side, numbers, isKey, pivots, masses,
                    noteStates ? k.use(buffers.states) : Value(),
                    k.use(buffers.mail), turn, memory, sample);
  auto tileStart = [&](int64_t i) { return solve.getTileStart(i); };
  auto hasTile = [&](int64_t i) { return solve.hasTile(i); };
  auto source = [&]() -> WarpRing::Source {
    return {side, values, {side.batch, side.tokenHead}, facts.dv};
  };
  SlabGather gather(k, facts, facts.dv, memory);
  // The first values come in during the half-steps.
  solve.emitSweeps(
      [&] { gather.prefetch(source(), tileStart, solve.countTiles()); });
  side = numbers.load(k);
  solve.emitPlans();

  auto emitKeys = [&] {
    KernelBuilder::FreshThread fresh(k);
    Values leading{side.problem, side.chunk};
    // With u, in the range of f32.
    auto makePlan = [&](int64_t i) {
      std::array<Value, 2> u = solve.loadRowFactors(i);
      Tile plan = unpackTile(k, k.getF16Type(), solve.getTile(i));
      for (auto [at, entry] : llvm::enumerate(plan))
        entry = k.mulf(entry, u[rowOf(at)]);
      return packTile(k, facts.io, plan);
    };
    SmallVector<Values> plans;
    if (extra) {
      Values sums(facts.pivots() / 4, k.f32(0));
      for (int64_t i = 0; i < facts.residentTiles(); ++i) {
        plans.push_back(makePlan(i));
        sums = addToColumns(k, unpackTile(k, facts.io, plans.back()), sums);
      }
      Values v = loadColumns(k, facts, solve.getPivotFactors());
      for (auto [sum, factor] : llvm::zip(sums, v))
        sum = k.mulf(sum, factor);
      storeColumnSums(k, facts, sums, extra, leading);
    }
    auto pivotFactor = [&](Value pivot) {
      return k.load(solve.getPivotFactors(), pivot);
    };
    auto plan = [&](int64_t i) { return extra ? plans[i] : makePlan(i); };
    gather.emit(source(), tileStart, hasTile, plan, pivotFactor, parts,
                leading);
    if (out)
      k.signal(signals, side.problem);
  };
  auto emitQueries = [&] {
    KernelBuilder::FreshThread fresh(k);
    Value keyProblem = getKeyProblem(k, side);
    k.waitForSignals(signals, keyProblem, side.chunks);
    apply.stage(solve, keyProblem, parts, extra, ratio, kept, keptExtra);
    k.barrier();
    ApplyProduct product(k, facts, Matrix{apply.staged, {}}, facts.dv);
    LaneRows rows = solve.locateLaneRows(result, {side.batch, side.head});
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
    product.emitAll(
        facts.residentTiles(), [&](int64_t i) { return solve.getTile(i); },
        factor, hasTile, rows);
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
  return solve.getTurn();
}
