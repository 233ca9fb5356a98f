//===- Kernel.cpp - One kernel and its launch -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"

#include "lot/Target/GPUTarget.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

Kernel::Kernel(gpu::GPUModuleOp module, StringRef name, Location loc,
               int64_t threads, int64_t sharedLimit, Overlap overlap)
    : KernelBuilder(loc, module.getContext()), shared(*this, sharedLimit),
      threads(threads), overlap(overlap) {
  setInsertionPointToEnd(module.getBody());
  func = gpu::GPUFuncOp::create(*this, name, getFunctionType({}, {}));
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), getUnitAttr());
  func.setKnownBlockSizeAttr(
      getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  setInsertionPointToStart(&func.getBody().front());
  if (overlap != Overlap::None)
    letNextStart();
  if (overlap == Overlap::WithBoth)
    waitForEarlier();
}

Value Kernel::use(Value host) {
  if (!host)
    return Value();
  auto [entry, isNew] = arguments.insert({host, Value()});
  if (isNew)
    entry->second =
        func.getBody().front().addArgument(host.getType(), getLoc());
  return entry->second;
}

void Kernel::halveIf(Value condition) {
  half = condition;
  func.removeKnownBlockSizeAttr();
  func->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
}

Value Kernel::threadCount() {
  if (!half)
    return index(threads);
  return select(use(half), index(threads / 2), index(threads));
}
Value Kernel::warpCount() { return div(threadCount(), kWarp); }

Value Kernel::sumWarps(function_ref<Value(int64_t warp)> part) {
  auto add = [&](int64_t from, int64_t to) {
    constexpr int64_t kSums = 4; // that do not wait for each other
    Values sums;
    for (int64_t warp = from; warp < to; ++warp) {
      Value value = part(warp);
      if (warp - from < kSums)
        sums.push_back(value);
      else
        sums[warp % kSums] = addf(sums[warp % kSums], value);
    }
    while (sums.size() > 1) {
      Values pairs;
      for (size_t i = 0; i < sums.size(); i += 2)
        pairs.push_back(addf(sums[i], sums[i + 1]));
      sums = pairs;
    }
    return sums[0];
  };
  int64_t warps = getWarps();
  if (!half)
    return add(0, warps);
  Value sum = add(0, warps / 2);
  return ifElse(
      use(half), sum.getType(), [&] { return Values{sum}; },
      [&] { return Values{addf(sum, add(warps / 2, warps))}; })[0];
}

void Kernel::setBlocksPerMultiprocessor(int64_t count) {
  blocksPerMultiprocessor = count;
  func->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                getI32IntegerAttr(count));
}

Value Kernel::allocateLocal(int64_t count, Type element) {
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(&func.getBody().front());
  return memref::AllocaOp::create(*this, MemRefType::get({count}, element));
}

void Kernel::spreadTeams(ImplicitLocOpBuilder &host, Value problems, Value size,
                         Value multiprocessors) {
  auto index = [&](int64_t i) {
    return arith::ConstantOp::create(host, host.getIndexAttr(i));
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(host, predicate, x, y).getResult();
  };
  // Known at the end.
  wholeFit = index(1);
  Value fit = wholeFit;
  if (half) {
    halfFit = index(1);
    fit = arith::SelectOp::create(host, half, halfFit, wholeFit);
  }
  Value room = arith::MulIOp::create(host, multiprocessors, fit);
  room = arith::MinUIOp::create(host, room, index(kMostSpread));
  auto teamsIn = [&](Value blocks) -> Value {
    Value teams = arith::DivUIOp::create(host, blocks, size);
    return arith::MaxUIOp::create(host, teams, index(1));
  };
  // Clusters find room for 7/8 of the blocks at least.
  Value neighbours = arith::MulIOp::create(host, room, index(7));
  neighbours = arith::DivUIOp::create(host, neighbours, index(8));
  Value teams = teamsIn(room);
  Value rounds = arith::CeilDivUIOp::create(host, problems, teams);
  Value clusterRounds =
      arith::CeilDivUIOp::create(host, problems, teamsIn(neighbours));
  using arith::CmpIPredicate;
  spread = compare(CmpIPredicate::ult, rounds, clusterRounds);
  // Two find room everywhere.
  spread = arith::AndIOp::create(host, spread,
                                 compare(CmpIPredicate::ugt, size, index(2)));
  spread = arith::AndIOp::create(host, spread,
                                 compare(CmpIPredicate::uge, room, size));
  spreadCount = arith::MinUIOp::create(host, teams, problems);
}

void Kernel::forProblems(
    Value problems, Value carried,
    function_ref<Value(Value problem, Value carried)> body) {
  Value stride = problems;
  if (spread) {
    Value teams = gpu::GridDimOp::create(*this, gpu::Dimension::y);
    stride = select(isSpread(), teams, problems);
  }
  forLoop(team(), problems, stride, carried,
          [&](Value problem, ValueRange values) -> Values {
            FreshThread fresh(*this);
            Value next = body(problem, values[0]);
            // The next one takes the same shared memory.
            if (spread)
              ifThen(less(add(problem, stride), problems), [&] { barrier(); });
            return {next};
          });
}

Value Kernel::team() {
  if (!spread)
    return cluster();
  Value block = gpu::BlockIdOp::create(*this, gpu::Dimension::y);
  return select(isSpread(), block, cluster());
}

Value Kernel::teamRank() {
  return spread ? select(isSpread(), block(), clusterRank()) : clusterRank();
}

Value Kernel::teamSize() {
  if (!spread)
    return clusterSize();
  Value blocks = gpu::GridDimOp::create(*this, gpu::Dimension::x);
  return select(isSpread(), blocks, clusterSize());
}

void Kernel::finish() {
  gpu::ReturnOp::create(*this);
  func.setFunctionType(
      getFunctionType(func.getBody().front().getArgumentTypes(), TypeRange()));
  shared.finish();
  // A block takes 1 KB more than it asks for.
  constexpr int64_t kReserved = 1024;
  auto findRoom = [&](int64_t warps) {
    return (shared.getLimit() + kReserved) /
           (shared.getBytes(warps) + kReserved);
  };
  auto fit = [&](arith::ConstantOp count, int64_t most, int64_t warps) {
    if (count)
      count.setValueAttr(getIndexAttr(std::min(most, findRoom(warps))));
  };
  // Registers for blocks that have no memory would be in vain.
  if (int64_t room = findRoom(getWarps()); room < blocksPerMultiprocessor)
    setBlocksPerMultiprocessor(std::max<int64_t>(room, 1));
  fit(wholeFit, blocksPerMultiprocessor, getWarps());
  fit(halfFit, 2 * blocksPerMultiprocessor, getWarps() / 2);
}

void Kernel::launch(ImplicitLocOpBuilder &host, gpu::KernelDim3 grid,
                    std::optional<gpu::KernelDim3> cluster, bool cooperative) {
  Value one = arith::ConstantIndexOp::create(host, 1);
  Value block = arith::ConstantIndexOp::create(host, threads);
  auto bytesOf = [&](int64_t warps) -> Value {
    return arith::ConstantOp::create(
        host, host.getI32IntegerAttr(shared.getBytes(warps)));
  };
  Value bytes = bytesOf(getWarps());
  if (half) {
    block = arith::SelectOp::create(
        host, half, arith::ConstantIndexOp::create(host, threads / 2), block);
    bytes = arith::SelectOp::create(host, half, bytesOf(getWarps() / 2), bytes);
  }
  Values operands;
  for (auto &[value, argument] : arguments)
    operands.push_back(value);
  auto call = gpu::LaunchFuncOp::create(
      host, func, grid, gpu::KernelDim3{block, one, one}, bytes, operands,
      /*asyncTokenType=*/nullptr,
      /*asyncDependencies=*/ValueRange(), cluster);
  if (overlap == Overlap::WithBoth || overlap == Overlap::WithBothLater)
    call->setAttr(kOverlapAttrName, getUnitAttr());
  if (cooperative)
    call->setAttr(kCooperativeAttrName, getUnitAttr());
}

void Kernel::launch(ImplicitLocOpBuilder &host, Value blocks) {
  finish();
  Value one = arith::ConstantIndexOp::create(host, 1);
  launch(host, {blocks, one, one}, std::nullopt, /*cooperative=*/false);
}

void Kernel::launchTeams(ImplicitLocOpBuilder &host, Value problems,
                         Value size) {
  finish();
  Value one = arith::ConstantIndexOp::create(host, 1);
  auto launchClusters = [&] {
    Value blocks = arith::MulIOp::create(host, problems, size);
    launch(host, {blocks, one, one}, gpu::KernelDim3{size, one, one},
           /*cooperative=*/false);
  };
  if (!spread)
    return launchClusters();
  auto choice = scf::IfOp::create(host, spread, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(host);
  host.setInsertionPointToStart(choice.thenBlock());
  launch(host, {size, spreadCount, one}, std::nullopt, /*cooperative=*/true);
  host.setInsertionPointToStart(choice.elseBlock());
  launchClusters();
}
