//===- LaunchCall.cpp - gpu.launch_func to a call of the runtime ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchCall.h"

#include "lot/Target/GPUTarget.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

LLVM::LLVMFuncOp lot::getRuntimeFunction(SymbolTable &symbols,
                                         OpBuilder &builder, StringRef name,
                                         Type result,
                                         ArrayRef<Type> arguments) {
  if (auto function = symbols.lookup<LLVM::LLVMFuncOp>(name))
    return function;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&symbols.getOp()->getRegion(0).front());
  auto function =
      LLVM::LLVMFuncOp::create(builder, symbols.getOp()->getLoc(), name,
                               LLVM::LLVMFunctionType::get(result, arguments));
  symbols.insert(function);
  return function;
}

namespace {
/// Bits of the argument `flags` of lotCudaLaunch.
enum LaunchFlags : int64_t { kCooperative = 1, kOverlap = 2 };

struct LaunchCall : public ConvertOpToLLVMPattern<gpu::LaunchFuncOp> {
  LaunchCall(const LLVMTypeConverter &converter, SymbolTable &symbols)
      : ConvertOpToLLVMPattern(converter), symbols(symbols) {}

  LogicalResult
  matchAndRewrite(gpu::LaunchFuncOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override;

private:
  /// The device code that `op` runs a kernel of: PTX or a cubin.
  FailureOr<gpu::ObjectAttr> getObject(gpu::LaunchFuncOp op) const;
  /// The address of a constant with these bytes.
  Value getConstant(ImplicitLocOpBuilder &b, StringRef name,
                    StringRef bytes) const;

  SymbolTable &symbols;
};
} // namespace

FailureOr<gpu::ObjectAttr> LaunchCall::getObject(gpu::LaunchFuncOp op) const {
  auto binary = symbols.lookup<gpu::BinaryOp>(op.getKernelModuleName());
  if (!binary) {
    op.emitOpError("expected a gpu.binary @")
        << op.getKernelModuleName().getValue()
        << ": run gpu-module-to-binary before this pass";
    return failure();
  }
  auto object = dyn_cast<gpu::ObjectAttr>(binary.getObjects()[0]);
  if (!object || binary.getObjects().size() != 1 ||
      (object.getFormat() != gpu::CompilationTarget::Assembly &&
       object.getFormat() != gpu::CompilationTarget::Binary)) {
    op.emitOpError("expected gpu.binary @")
        << op.getKernelModuleName().getValue()
        << " to hold one object, PTX (format=isa) or a cubin (format=bin)";
    return failure();
  }
  return object;
}

Value LaunchCall::getConstant(ImplicitLocOpBuilder &b, StringRef name,
                              StringRef bytes) const {
  auto global = symbols.lookup<LLVM::GlobalOp>(name);
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&symbols.getOp()->getRegion(0).front());
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size());
    global = LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                    LLVM::Linkage::Internal, name,
                                    b.getStringAttr(bytes));
    symbols.insert(global);
  }
  return LLVM::AddressOfOp::create(b, global);
}

LogicalResult
LaunchCall::matchAndRewrite(gpu::LaunchFuncOp op, OpAdaptor adaptor,
                            ConversionPatternRewriter &rewriter) const {
  if (op.getAsyncToken() || !op.getAsyncDependencies().empty() ||
      op.getAsyncObject())
    return op.emitOpError("expected no async tokens: every launch goes to the "
                          "stream of the call");
  FailureOr<gpu::ObjectAttr> object = getObject(op);
  if (failed(object))
    return failure();

  ImplicitLocOpBuilder b(op.getLoc(), rewriter);
  Type i64 = b.getI64Type(), pointer = getPtrType();
  auto integer = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, i64, b.getI64IntegerAttr(value));
  };
  // Launch arguments as the driver takes them: an array of pointers to them.
  // The memory is the function's, so a launch in a loop takes no more of it.
  SmallVector<Value> operands = getTypeConverter()->promoteOperands(
      op.getLoc(), op.getKernelOperands(), adaptor.getKernelOperands(), b);
  SmallVector<Type> types = llvm::to_vector(ValueRange(operands).getTypes());
  auto record = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  auto list = LLVM::LLVMArrayType::get(pointer, operands.size());
  Value values, arguments;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(
        &op->getParentOfType<FunctionOpInterface>().getFunctionBody().front());
    Value one = integer(1);
    values = LLVM::AllocaOp::create(b, pointer, record, one);
    arguments = LLVM::AllocaOp::create(b, pointer, list, one);
  }
  for (auto [position, operand] : llvm::enumerate(operands)) {
    auto at = static_cast<int32_t>(position);
    Value value = LLVM::GEPOp::create(b, pointer, record, values,
                                      ArrayRef<LLVM::GEPArg>{0, at});
    LLVM::StoreOp::create(b, operand, value);
    Value slot = LLVM::GEPOp::create(b, pointer, list, arguments,
                                     ArrayRef<LLVM::GEPArg>{0, at});
    LLVM::StoreOp::create(b, value, slot);
  }

  StringRef module = op.getKernelModuleName().getValue();
  StringRef kernel = op.getKernelName().getValue();
  StringRef image = object->getObject().getValue();
  auto asI64 = [&](Value value) -> Value {
    if (!value)
      return integer(0);
    if (value.getType() == i64)
      return value;
    return LLVM::SExtOp::create(b, i64, value);
  };
  SmallVector<Value> call = {
      getConstant(b, (module + "_image").str(), image), integer(image.size()),
      // The driver wants C strings.
      getConstant(b, (module + "_" + kernel + "_name").str(),
                  (kernel + Twine('\0')).str())};
  for (Value size :
       {adaptor.getGridSizeX(), adaptor.getGridSizeY(), adaptor.getGridSizeZ(),
        adaptor.getBlockSizeX(), adaptor.getBlockSizeY(),
        adaptor.getBlockSizeZ(), adaptor.getClusterSizeX(),
        adaptor.getClusterSizeY(), adaptor.getClusterSizeZ(),
        adaptor.getDynamicSharedMemorySize()})
    call.push_back(asI64(size));
  call.push_back(
      integer((op->hasAttr(kCooperativeAttrName) ? kCooperative : 0) |
              (op->hasAttr(kOverlapAttrName) ? kOverlap : 0)));
  call.push_back(arguments);
  call.push_back(integer(operands.size()));
  LLVM::LLVMFuncOp function =
      getRuntimeFunction(symbols, rewriter, "lotCudaLaunch", getVoidType(),
                         llvm::to_vector(ValueRange(call).getTypes()));
  LLVM::CallOp::create(b, function, call);
  rewriter.eraseOp(op);
  return success();
}

void lot::populateLaunchCallPattern(const LLVMTypeConverter &converter,
                                    SymbolTable &symbols,
                                    RewritePatternSet &patterns) {
  patterns.add<LaunchCall>(converter, symbols);
}
