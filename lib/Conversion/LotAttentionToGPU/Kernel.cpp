//===- Kernel.cpp - One kernel and its launch -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

Kernel::Kernel(gpu::GPUModuleOp module, StringRef name, Location loc,
               int64_t threads, int64_t sharedLimit)
    : KernelBuilder(loc, module.getContext()), shared(*this, sharedLimit),
      threads(threads) {
  setInsertionPointToEnd(module.getBody());
  func = gpu::GPUFuncOp::create(*this, name, getFunctionType({}, {}));
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), getUnitAttr());
  func.setKnownBlockSizeAttr(
      getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  setInsertionPointToStart(&func.getBody().front());
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
  Value block = arith::ConstantIndexOp::create(host, threads);
  Value bytes = arith::ConstantOp::create(
      host, host.getI32IntegerAttr(shared.getBytes()));
  Values operands;
  for (auto &[value, argument] : arguments)
    operands.push_back(value);
  std::optional<gpu::KernelDim3> clusters;
  if (cluster)
    clusters = gpu::KernelDim3{cluster, one, one};
  gpu::LaunchFuncOp::create(host, func, gpu::KernelDim3{blocks, one, one},
                            gpu::KernelDim3{block, one, one}, bytes, operands,
                            /*asyncTokenType=*/nullptr,
                            /*asyncDependencies=*/ValueRange(), clusters);
}
