//===- LaunchCall.cpp - gpu.launch_func to a call of the runtime ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchCall.h"

#include "lot/Target/GPUTarget.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"

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

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

ImageTable::ImageTable(SymbolTable &symbols)
    : symbols(symbols), name("lot_images") {
  while (symbols.lookup(name))
    name += "_";
}

int64_t ImageTable::add(gpu::BinaryOp binary, StringRef code) {
  auto [place, isNew] = images.try_emplace(binary.getSymNameAttr(), code);
  return place - images.begin();
}

Value ImageTable::getAddress(ImplicitLocOpBuilder &b) const {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return LLVM::AddressOfOp::create(b, pointer, name);
}

/// A constant of the module with these bytes, made if it is not there.
static LLVM::GlobalOp getBytes(SymbolTable &symbols, ImplicitLocOpBuilder &b,
                               StringRef name, StringRef bytes) {
  if (auto global = symbols.lookup<LLVM::GlobalOp>(name))
    return global;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&symbols.getOp()->getRegion(0).front());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size());
  auto global = LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                       LLVM::Linkage::Internal, name,
                                       b.getStringAttr(bytes));
  symbols.insert(global);
  return global;
}

void ImageTable::emit(Location loc) const {
  if (images.empty())
    return;
  ImplicitLocOpBuilder b(loc, symbols.getOp()->getContext());
  SmallVector<LLVM::GlobalOp> codes;
  for (auto [name, code] : images)
    codes.push_back(
        getBytes(symbols, b, (name.getValue() + "_image").str(), code));
  b.setInsertionPointAfter(codes.front());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto entry = LLVM::LLVMStructType::getLiteral(b.getContext(),
                                                {pointer, b.getI64Type()});
  auto type = LLVM::LLVMArrayType::get(entry, codes.size() + 1);
  auto table = LLVM::GlobalOp::create(
      b, type, /*isConstant=*/true, LLVM::Linkage::Internal, name, Attribute());
  symbols.insert(table);
  b.createBlock(&table.getInitializerRegion());
  // Zeros at the end.
  Value value = LLVM::ZeroOp::create(b, type);
  for (auto [i, global] : llvm::enumerate(codes)) {
    auto at = static_cast<int64_t>(i);
    auto bytes = cast<LLVM::LLVMArrayType>(global.getGlobalType());
    Value address = LLVM::AddressOfOp::create(b, global);
    Value size = LLVM::ConstantOp::create(
        b, b.getI64Type(), b.getI64IntegerAttr(bytes.getNumElements()));
    value = LLVM::InsertValueOp::create(b, value, address, {at, 0});
    value = LLVM::InsertValueOp::create(b, value, size, {at, 1});
  }
  LLVM::ReturnOp::create(b, value);
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

namespace {
/// Bits of the argument `flags` of lotCudaLaunch.
enum LaunchFlags : int64_t { kCooperative = 1, kOverlap = 2 };

struct LaunchCall : public ConvertOpToLLVMPattern<gpu::LaunchFuncOp> {
  LaunchCall(const LLVMTypeConverter &converter, SymbolTable &symbols,
             ImageTable &images)
      : ConvertOpToLLVMPattern(converter), symbols(symbols), images(images) {}

  LogicalResult
  matchAndRewrite(gpu::LaunchFuncOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override;

private:
  /// The place in the table of the device code that `op` runs a kernel of.
  FailureOr<int64_t> getImage(gpu::LaunchFuncOp op) const;

  SymbolTable &symbols;
  ImageTable &images;
};
} // namespace

FailureOr<int64_t> LaunchCall::getImage(gpu::LaunchFuncOp op) const {
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
  return images.add(binary, object.getObject().getValue());
}

LogicalResult
LaunchCall::matchAndRewrite(gpu::LaunchFuncOp op, OpAdaptor adaptor,
                            ConversionPatternRewriter &rewriter) const {
  if (op.getAsyncToken() || !op.getAsyncDependencies().empty() ||
      op.getAsyncObject())
    return op.emitOpError("expected no async tokens: every launch goes to the "
                          "stream of the call");
  FailureOr<int64_t> image = getImage(op);
  if (failed(image))
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
  auto asI64 = [&](Value value) -> Value {
    if (!value)
      return integer(0);
    if (value.getType() == i64)
      return value;
    return LLVM::SExtOp::create(b, i64, value);
  };
  // The driver wants C strings.
  auto name = getBytes(symbols, b, (module + "_" + kernel + "_name").str(),
                       (kernel + Twine('\0')).str());
  SmallVector<Value> call = {images.getAddress(b), integer(*image),
                             LLVM::AddressOfOp::create(b, name)};
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
                                    SymbolTable &symbols, ImageTable &images,
                                    RewritePatternSet &patterns) {
  patterns.add<LaunchCall>(converter, symbols, images);
}
