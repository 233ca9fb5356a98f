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
  func->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                getI32IntegerAttr(count));
}

Value Kernel::allocateLocal(int64_t count, Type element) {
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(&func.getBody().front());
  return memref::AllocaOp::create(*this, MemRefType::get({count}, element));
}

void Kernel::launch(ImplicitLocOpBuilder &host, Value blocks, Value cluster) {
  gpu::ReturnOp::create(*this);
  func.setFunctionType(
      getFunctionType(func.getBody().front().getArgumentTypes(), TypeRange()));
  Value one = arith::ConstantIndexOp::create(host, 1);
  shared.finish();
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
  std::optional<gpu::KernelDim3> clusters;
  if (cluster)
    clusters = gpu::KernelDim3{cluster, one, one};
  auto call = gpu::LaunchFuncOp::create(
      host, func, gpu::KernelDim3{blocks, one, one},
      gpu::KernelDim3{block, one, one}, bytes, operands,
      /*asyncTokenType=*/nullptr,
      /*asyncDependencies=*/ValueRange(), clusters);
  if (overlap == Overlap::WithBoth || overlap == Overlap::WithBothLater)
    call->setAttr(kOverlapAttrName, getUnitAttr());
}
