//===- ClusterSums.cpp - Sums over the blocks of a cluster ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two sets of memory, for even and odd turns, are enough: a block that sends
// for turn t + 2 has the sums of turn t + 1 of all others, whose warps had read
// those of turn t before the block's barrier in turn t + 1.
//
// Blocks of a spread team write to memory of the device instead, a value beside
// its turn in one word, and look there for those of the others. They are added
// up in the same order.
//
//===----------------------------------------------------------------------===//

#include "ClusterSums.h"
#include "SweepPass.h"

using namespace mlir;
using namespace mlir::lot;

/// Slots that are read at once.
static constexpr int64_t kSlots = 4;

ClusterSums::ClusterSums(Kernel &k, int64_t pivots, Value mail,
                         int64_t turnsBefore)
    : k(k), pivots(pivots), mail(mail), turnsBefore(turnsBefore) {
  assert(!k.isSpread() == !mail && "expected mail for spread teams");
  Type f32 = k.getF32Type();
  warps = k.shared.allocate({2 * k.getWarps() * (pivots + 1)}, f32);
  slots = k.shared.allocate({2 * kMaxCluster * (pivots + 1)}, f32);
  arrivals = k.shared.allocate({2}, k.getI64Type());
  columns = k.shared.allocate({k.getWarps(), pivots}, f32);
  auto initBarriers = [&] { k.initTransactions(arrivals, 2); };
  byTeam([] {}, initBarriers);
  // Of the places that are read together, those of no block are 0.
  int64_t most = (kSlots - 1) * (pivots + 1);
  Value blocks = k.narrow(k.teamSize());
  Value end = k.mul(k.div(k.add(blocks, kSlots - 1), kSlots), kSlots);
  Value i = k.thread();
  for (int64_t from = 0; from < 2 * most; from += k.getLeastThreads()) {
    Value at = k.rem(i, most);
    Value block = k.add(blocks, k.div(at, pivots + 1));
    Value mine =
        k.both(k.lessNarrow(i, k.index(2 * most)), k.lessNarrow(block, end));
    k.ifThen(mine, [&] {
      k.store(k.f32(0), slots,
              slot(k.div(i, most), block, k.rem(at, pivots + 1)));
    });
    i = k.add(i, k.threadCount());
  }
}

Value ClusterSums::columnOf(int64_t i) {
  Value column = k.add(k.lane(), i * kWarp);
  return pivots % kWarp ? k.min(column, k.index(pivots - 1)) : column;
}

Values ClusterSums::loadLaneColumns(Value vector) {
  Values result;
  for (int64_t i = 0; i < columnsOfLane(); ++i)
    result.push_back(k.load(vector, columnOf(i)));
  return result;
}

Value ClusterSums::slot(Value turn, Value block, Value column) {
  Value parity = k.mul(k.rem(turn, 2), kMaxCluster);
  return k.add(k.mul(k.add(parity, block), pivots + 1), column);
}

void ClusterSums::byTeam(function_ref<void()> spread,
                         function_ref<void()> cluster) {
  if (!mail)
    return cluster();
  auto inBranch = [&](function_ref<void()> body) {
    return [&, body]() -> Values {
      KernelBuilder::FreshThread fresh(k);
      body();
      return {};
    };
  };
  // A block that is alone is no cluster, and has nobody to send to.
  Value isSpread = k.either(k.isSpread(), k.equal(k.teamSize(), 1));
  k.ifElse(isSpread, TypeRange(), inBranch(spread), inBranch(cluster));
}

Value ClusterSums::mailAt(Value turn, Value block, Value column) {
  Value set = k.add(k.mul(k.team(), 2), k.rem(turn, 2));
  Value row = k.add(k.mul(set, k.teamSize()), block);
  return k.add(k.mul(row, pivots + 1), column);
}

void ClusterSums::post(Value sum, Value column, Value turn) {
  Value rank = k.teamRank();
  k.ifThen(k.less(k.index(1), k.teamSize()), [&] {
    k.postTagged(sum, tag(turn), mail, mailAt(turn, rank, column));
  });
  k.store(sum, slots, slot(turn, rank, column));
}

void ClusterSums::collect(int64_t count, Value turn) {
  Value blocks = k.teamSize();
  int64_t pieces = llvm::divideCeil(count, kWarp);
  k.forLoop(k.warp(), k.mul(blocks, pieces), k.warpCount(), [&](Value i) {
    Value block = k.div(i, pieces);
    Value column = k.add(k.mul(k.rem(i, pieces), kWarp), k.lane());
    Value other =
        arith::CmpIOp::create(k, arith::CmpIPredicate::ne, block, k.teamRank());
    k.ifThen(k.both(other, k.less(column, k.index(count))), [&] {
      Value sum = k.takeTagged(tag(turn), mail, mailAt(turn, block, column));
      k.store(sum, slots, slot(turn, block, column));
    });
  });
  k.barrier();
}

Values ClusterSums::add(const Values &partials, Value extra, Value turn) {
  return addScattered(scatterColumns(k, partials), extra, turn);
}

Values ClusterSums::addScattered(const Values &sums, Value extra, Value turn) {
  Value parity = k.rem(turn, 2), blocks = k.teamSize();
  Value rank = k.teamRank();
  auto warpSlot = [&](Value warp, Value column) {
    Value row = k.add(k.mul(parity, k.getWarps()), warp);
    return k.add(k.mul(row, pivots + 1), column);
  };
  for (auto [sum, column] : llvm::zip(sums, locateScattered(k, pivots)))
    k.store(sum, warps, warpSlot(k.warp(), column));
  int64_t count = pivots;
  if (extra) {
    ++count;
    extra = k.sumLanes(extra, {16, 8, 4, 2, 1});
    k.ifThen(k.equal(k.lane(), 0), [&] {
      k.store(extra, warps, warpSlot(k.warp(), k.index(pivots)));
    });
  }
  int64_t pieces = llvm::divideCeil(count, kWarp);
  // A warp's sums of 32 columns, or what is left.
  auto forPiece = [&](Value piece, function_ref<void(Value, Value)> body) {
    Value column = k.add(k.mul(piece, kWarp), k.lane());
    Value mine = k.less(column, k.index(count));
    column = k.min(column, k.index(count - 1));
    Value sum = k.sumWarps([&](int64_t warp) {
      return k.load(warps, warpSlot(k.index(warp), column));
    });
    k.ifThen(mine, [&] { body(column, sum); });
  };
  auto toMail = [&] {
    k.barrier();
    k.forLoop(k.warp(), k.index(pieces), k.warpCount(), [&](Value i) {
      forPiece(i, [&](Value column, Value sum) { post(sum, column, turn); });
    });
    collect(count, turn);
  };
  auto toCluster = [&] {
    k.ifThen(k.equal(k.thread(), 0), [&] {
      k.expectBytes(arrivals, parity, k.mul(blocks, 4 * count));
    });
    k.barrier();
    // Each warp sends to one block.
    k.forLoop(k.warp(), k.mul(blocks, pieces), k.warpCount(), [&](Value i) {
      Value block = k.div(i, pieces);
      forPiece(k.rem(i, pieces), [&](Value column, Value sum) {
        k.sendTo(block, sum, slots, slot(turn, rank, column), arrivals, parity);
      });
    });
    k.waitForBytes(arrivals, parity, k.rem(k.div(turn, 2), 2));
  };
  byTeam(toMail, toCluster);
  Values wanted;
  for (int64_t i = 0; i < columnsOfLane(); ++i)
    wanted.push_back(columnOf(i));
  if (extra)
    wanted.push_back(k.index(pivots));
  auto addSlots = [&](Value first, ValueRange carried) {
    Values totals;
    for (auto [column, total] : llvm::zip(wanted, carried)) {
      Values parts;
      for (int64_t i = 0; i < kSlots; ++i)
        parts.push_back(k.load(slots, slot(turn, k.add(first, i), column)));
      for (Value part : parts)
        total = k.addf(total, part);
      totals.push_back(total);
    }
    return totals;
  };
  return k.forLoop(k.index(kSlots), blocks, k.index(kSlots),
                   addSlots(k.index(0), Values(wanted.size(), k.f32(0))),
                   addSlots);
}

Values ClusterSums::addLogs(Value logSum, Value turn) {
  Value parity = k.rem(turn, 2), blocks = k.teamSize();
  Value mine = k.less(k.thread(), k.index(pivots));
  auto toMail = [&] {
    k.ifThen(mine, [&] { post(logSum, k.thread(), turn); });
    collect(pivots, turn);
  };
  auto toCluster = [&] {
    k.ifThen(k.equal(k.thread(), 0), [&] {
      k.expectBytes(arrivals, parity, k.mul(blocks, 4 * pivots));
    });
    k.ifThen(mine, [&] {
      Value to = slot(turn, k.teamRank(), k.thread());
      k.forLoop(k.index(0), blocks, k.index(1), [&](Value block) {
        k.sendTo(block, logSum, slots, to, arrivals, parity);
      });
    });
    k.waitForBytes(arrivals, parity, k.rem(k.div(turn, 2), 2));
  };
  byTeam(toMail, toCluster);
  Values result;
  for (int64_t i = 0; i < columnsOfLane(); ++i) {
    Values pair = foldLogSums(k, blocks, [&](Value block) {
      return k.load(slots, slot(turn, block, columnOf(i)));
    });
    result.push_back(k.addf(pair[0], k.log2(pair[1])));
  }
  return result;
}

Values ClusterSums::spread(const Values &values) {
  k.warpBarrier();
  for (auto [i, value] : llvm::enumerate(values))
    k.store(value, columns, {k.warp(), columnOf(i)});
  k.warpBarrier();
  Values result;
  for (int64_t j = 0; j < pivots; j += 8) {
    Value pair = k.loadVector(columns, {k.warp(), k.add(laneColumn(k), j)}, 2);
    result.append({k.element(pair, 0), k.element(pair, 1)});
  }
  return result;
}

Values ClusterSums::spreadOperand(const Values &values) {
  Type f16 = k.getF16Type(), f32 = k.getF32Type();
  Values packed;
  for (Value value : values) {
    Value high = k.convert(value, f16);
    Value rest = k.subf(value, k.convert(high, f32));
    Value word = k.words(k.pack({high, k.convert(rest, f16)}))[0];
    packed.push_back(arith::BitcastOp::create(k, f32, word));
  }
  Values columns = spread(packed);
  Value odd = k.equal(k.rem(k.div(k.lane(), 4), 2), 1);
  Values words;
  for (size_t i = 0; i < columns.size(); i += 2)
    words.push_back(k.pickHalves(columns[i], columns[i + 1], odd));
  return words;
}
