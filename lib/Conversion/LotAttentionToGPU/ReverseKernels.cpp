//===- ReverseKernels.cpp - Half-steps backwards --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With u the cotangent of y_s and e of the tokens' potentials in the plan (in
// the last sweep only, where the plan has its token step),
//
//     x'_i = e_i - sum_j P_ij u_j       u of y_(s-1): -sum_i A_ij x'_i
//     dL_ij = E_ij - sum over s (P_ij u_j + A_ij x'_i)
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"

using namespace mlir;
using namespace mlir::lot;

void GradientKernels::emitReverseSweeps() {
  int64_t launches = std::max(facts.querySweeps(), facts.keySweeps()) - 1;
  if (launches <= 0)
    return;
  if (facts.isPacked() && TokenStream::canUseGroup(facts))
    return emitReverseSweepsTogether();
  bool streamed = facts.isPacked();
  Kernel k =
      makeKernel("reverse_sweep", streamed ? kStreamWarps : Facts::kWarps);
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto loop = scf::ForOp::create(b, index(0), index(launches), index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value hostLaunch = loop.getInductionVar();
  auto blocks = [&](const SideOperands &side, int64_t sweeps) -> Value {
    Value some = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, hostLaunch,
                                       index(std::max<int64_t>(sweeps - 1, 0)));
    return arith::SelectOp::create(b, some, countBlocks(side), index(0));
  };
  Value queryBlocks = blocks(querySide, facts.querySweeps());
  Value keyBlocks = blocks(keySide, facts.keySweeps());

  Sweep sweep = locateSweep(k, k.use(hostLaunch), k.block(), k.use(keyBlocks));
  std::optional<TokenStream> stream;
  Matrix pivots = stagePivots(k, sweep.side, streamed, stream);
  emitReverseSweep(k, sweep, pivots, stream ? &*stream : nullptr);
  k.launch(b, arith::AddIOp::create(b, queryBlocks, keyBlocks));
}

/// As emitSweepsTogether; all blocks of the sweep before are waited for.
void GradientKernels::emitReverseSweepsTogether() {
  Kernel k = makeKernel("reverse_sweep", kGroupWarps, Overlap::WithBothLater);
  k.setBlocksPerMultiprocessor(kGroupBlocks);
  Sweep sweep = locateSweep(k);
  const Side &side = sweep.side;
  TokenStream stream(k, facts, side);
  stream.useGroup(/*most=*/1);
  stream.start();
  stagePivots(k, side, stream);
  Value before = k.mul(sweep.step, side.chunks);
  if (!statesKnown) {
    // Those of emitSweepsTogether.
    Value sweeps = k.select(sweep.isKey, k.index(facts.keySweeps()),
                            k.index(facts.querySweeps()));
    before = k.add(before, k.mul(sweeps, k.add(side.chunks, 1)));
  }
  Value signals = k.use(buffers.signals);
  k.waitForSignals(signals, side.problem, before);
  Matrix pivots{k.use(buffers.pivots), {side.pivotIndex}};
  emitReverseSweep(k, sweep, pivots, &stream);
  k.signal(signals, side.problem);
  k.launch(b, countSweepBlocks(facts.keySweeps() - 1, facts.querySweeps() - 1));
}

namespace {
/// A sweep backwards over streamed tiles. With E_ij = 2^(score_ij + y_(s-1),j),
///
///     A_ij = E_ij / t_i    P_ij = E_ij 2^(y_s - mass - y_(s-1))_j mass_i / t_i
///
/// as long as t_i = sum_j E_ij and these powers are in a range in which nothing
/// counts as missing.
class StreamedReverse {
public:
  StreamedReverse(Kernel &k, const Facts &facts, TokenStream &stream)
      : k(k), facts(facts), stream(stream),
        factors(k.shared.allocate({facts.pivots()}, k.getF32Type())) {}

  /// All threads are here, and the vectors, in shared memory, are there.
  void start(Value prev, Value next, Value mass, Value ybar);
  /// Sums of the lane's columns; `far` becomes whether they do not count.
  Values emit(function_ref<Value(Value token, Value live)> extra);

  Value far; ///< i1, the same in all threads

private:
  Kernel &k;
  const Facts &facts;
  TokenStream &stream;
  Value prev;
  Value factors; ///< shared [pivots]: 2^(y_s - mass - y_(s-1)) u
};
} // namespace

void StreamedReverse::start(Value before, Value next, Value mass, Value ybar) {
  constexpr double kMostExponent = 30;
  prev = before;
  Value j = k.min(k.thread(), k.index(facts.pivots() - 1));
  Value from = k.load(prev, j), to = k.load(next, j);
  Value exponent = k.subf(k.subf(to, k.load(mass, j)), from);
  Value near = k.both(k.greater(k.f32(kMostExponent), exponent),
                      k.greater(exponent, k.f32(-kMostExponent)));
  Value absent = k.invert(k.either(k.isLive(from), k.isLive(to)));
  Value factor = k.mulf(k.exp2(exponent), k.load(ybar, j));
  k.store(k.select(absent, k.f32(0), factor), factors, j);
  far = k.barrierAny(k.invert(k.either(absent, near)));
}

Values
StreamedReverse::emit(function_ref<Value(Value token, Value live)> extra) {
  Values columns = loadColumns(k, facts, prev);
  Values start(columns.size(), k.f32(0));
  start.push_back(far);
  Values sums = stream.forTiles(
      start, [&](const TokenStream::StreamedTile &tile, ValueRange carried) {
        const Rows &rows = tile.rows;
        Tile entries = stream.emitPowers(tile, columns);
        Values p = loadColumns(k, facts, factors);
        Value passed[2], lost = carried.back();
        for (int64_t row = 0; row < 2; ++row) {
          Value live = rows.live[row];
          Value sum = emitRowSum(k, entries, row);
          lost = k.either(lost, k.both(live, k.invert(isKeptRowSum(k, sum))));
          Value inverse = k.select(live, k.reciprocal(sum), k.f32(0));
          Value weight = k.mulf(inverse, k.exp2(rows.mass[row]));
          Value own = k.mulf(weight, emitRowSum(k, entries, row, &p));
          Value token = k.add(k.add(tile.begin, k.div(k.lane(), 4)), 8 * row);
          passed[row] = k.mulf(inverse, k.subf(own, extra(token, live)));
        }
        Values next(carried.drop_back());
        addToColumns(k, entries, passed, next);
        next.push_back(lost);
        return next;
      });
  far = k.barrierAny(sums.pop_back_val());
  return sums;
}

void GradientKernels::emitReverseSweep(Kernel &k, const Sweep &sweep,
                                       const Matrix &pivots,
                                       TokenStream *stream) {
  const Side &side = sweep.side;
  Value isKey = sweep.isKey, launch = sweep.step;
  Value last =
      k.select(isKey, k.index(facts.keySweeps()), k.index(facts.querySweeps()));
  Value step = k.sub(last, launch);
  Value slot = k.rem(launch, 2);
  std::optional<StreamedReverse> reverse;
  if (stream)
    reverse.emplace(k, facts, *stream);
  Value ybar = emitCotangent(k, side, step, slot);
  Value states = k.use(buffers.states);
  Value prev = stageVector(k, states, {side.problem, k.sub(step, k.index(1))});
  Value next = stageVector(k, states, {side.problem, step});
  Value mass = stageVector(k, k.use(buffers.pivotMass), side.pivotIndex);
  Value noted = k.use(tokenCotangents);
  // The plan's token potential is that of the last sweep, unless the half-steps
  // end with a token step.
  bool extraQuery = !endsWithTokens(false), extraKey = !endsWithTokens(true);
  Value extra = k.both(k.equal(launch, 0),
                       k.select(isKey, k.flag(extraKey), k.flag(extraQuery)));
  k.barrier();

  auto getExtra = [&](Value token, Value live) {
    return k.ifElse(
        k.both(extra, live), k.getF32Type(),
        [&] { return Values{k.load(noted, {side.problem, token})}; },
        [&] { return Values{k.f32(0)}; })[0];
  };
  Values start(facts.pivots() / 4, k.f32(0));
  auto addExact = [&] {
    return forTiles(
        k, side, start,
        [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
          Tile scores = emitScores(k, facts, side, rows, pivots);
          Values prevColumns = loadColumns(k, facts, prev);
          Value added[2];
          for (int64_t i = 0; i < 2; ++i)
            added[i] = getExtra(rows.index[i], rows.live[i]);
          StepWeights weights = emitStepWeights(
              k, scores, rows, &prevColumns, loadColumns(k, facts, next),
              loadColumns(k, facts, mass), loadColumns(k, facts, ybar), added);
          Tile passed;
          for (auto [i, weight] : llvm::enumerate(weights.token))
            passed.push_back(
                k.mulf(weight, k.negf(weights.cotangent[rowOf(i)])));
          return addToColumns(k, passed, carried);
        });
  };
  Values sums;
  if (reverse) {
    reverse->start(prev, next, mass, ybar);
    // Beside two vectors.
    stream->keepPivots(/*most=*/48);
    SmallVector<Type> types(start.size(), k.getF32Type());
    Values quick = reverse->emit(getExtra);
    sums = k.ifElse(reverse->far, types, addExact, [&] { return quick; });
  } else {
    sums = addExact();
  }
  storeColumnSums(k, facts, sums, k.use(this->sums),
                  {k.sub(k.index(1), slot), side.problem, side.chunk});
}
