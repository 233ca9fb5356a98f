//===- Signature.cpp - What a function takes and returns ------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Signature.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <string>

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;

static std::optional<DType> getDType(Type type) {
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isIndex())
    return DType::Index;
  if (type.isSignlessInteger(1))
    return DType::I1;
  if (type.isSignlessInteger(8))
    return DType::I8;
  if (type.isSignlessInteger(16))
    return DType::I16;
  if (type.isSignlessInteger(32))
    return DType::I32;
  if (type.isSignlessInteger(64))
    return DType::I64;
  return std::nullopt;
}

static int64_t staticOrDynamic(int64_t size) {
  return ShapedType::isDynamic(size) ? kDynamic : size;
}

/// Nothing when values of this type cannot pass the border.
static std::optional<TensorSpec> convert(Type type) {
  TensorSpec result;
  if (auto dtype = getDType(type)) {
    result.dtype = *dtype;
    result.scalar = true;
    return result;
  }
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank())
    return std::nullopt;
  auto dtype = getDType(shaped.getElementType());
  if (!dtype)
    return std::nullopt;
  result.dtype = *dtype;
  for (int64_t size : shaped.getShape())
    result.shape.push_back(staticOrDynamic(size));
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.getEncoding() ? std::nullopt : std::optional(result);

  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || memref.getMemorySpace())
    return std::nullopt;
  result.buffer = true;
  if (memref.getLayout().isIdentity())
    return result;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(memref.getStridesAndOffset(strides, offset)))
    return std::nullopt;
  result.contiguous = false;
  for (int64_t stride : strides)
    result.strides.push_back(staticOrDynamic(stride));
  result.offset = ShapedType::isDynamic(offset) ? 0 : offset;
  return result;
}

/// Whether a function may write to its buffer: true unless every op that uses
/// it says that it only reads. Then callers may pass memory that is read-only.
static bool mayBeWritten(Value buffer) {
  return llvm::any_of(buffer.getUsers(), [&](Operation *user) {
    auto interface = dyn_cast<MemoryEffectOpInterface>(user);
    if (!interface || user->getNumRegions() != 0)
      return true;
    // A view is another name for the same memory.
    if (llvm::any_of(user->getResultTypes(), llvm::IsaPred<BaseMemRefType>))
      return true;
    SmallVector<MemoryEffects::EffectInstance> effects;
    interface.getEffects(effects);
    return llvm::any_of(effects, [&](MemoryEffects::EffectInstance &effect) {
      return !isa<MemoryEffects::Read>(effect.getEffect()) &&
             (!effect.getValue() || effect.getValue() == buffer);
    });
  });
}

llvm::Expected<Signature> runtime::getSignature(func::FuncOp func) {
  Signature signature;
  signature.name = func.getName().str();
  auto add = [&](ArrayRef<Type> types, StringRef what,
                 std::vector<TensorSpec> &list) -> llvm::Error {
    for (auto [position, type] : llvm::enumerate(types)) {
      std::optional<TensorSpec> converted = convert(type);
      if (!converted) {
        std::string text;
        llvm::raw_string_ostream(text) << type;
        return llvm::createStringError(
            "function '%s': expected %s #%zu to be a ranked tensor or memref "
            "of f16, bf16, f32, f64, i1, i8, i16, i32, i64 or index, or one "
            "such number, got '%s'",
            signature.name.c_str(), what.str().c_str(), position, text.c_str());
      }
      list.push_back(*converted);
    }
    return llvm::Error::success();
  };
  if (auto error =
          add(func.getArgumentTypes(), "argument", signature.arguments))
    return error;
  for (auto [argument, spec] :
       llvm::zip_equal(func.getArguments(), signature.arguments))
    spec.writable = spec.buffer && mayBeWritten(argument);
  if (auto error = add(func.getResultTypes(), "result", signature.results))
    return error;
  return signature;
}

SmallVector<int64_t, 4> runtime::getRowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 4> strides(shape.size());
  int64_t stride = 1;
  for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    stride *= shape[dim];
  }
  return strides;
}

bool runtime::isRowMajor(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides) {
  if (llvm::is_contained(shape, 0))
    return true;
  for (auto [size, stride, expected] :
       llvm::zip(shape, strides, getRowMajorStrides(shape)))
    if (size != 1 && stride != expected)
      return false;
  return true;
}

static std::string formatList(ArrayRef<int64_t> values) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(values, os, [&](int64_t value) {
    if (value == kDynamic)
      os << "?";
    else
      os << value;
  });
  return text + "]";
}

/// The complaint about one argument, empty when it fits.
static std::string check(const TensorSpec &type, const TensorRef &arg) {
  // index is a 64 bit integer on every target we generate code for.
  auto canonical = [](DType dtype) {
    return dtype == DType::Index ? DType::I64 : dtype;
  };
  if (canonical(type.dtype) != canonical(arg.dtype))
    return "expected element type " + getName(type.dtype).str() + ", got " +
           getName(arg.dtype).str();
  if (type.getRank() != static_cast<int64_t>(arg.shape.size()))
    return "expected rank " + std::to_string(type.getRank()) + " (" +
           formatShape(type.shape) + "), got rank " +
           std::to_string(arg.shape.size()) + " (" + formatShape(arg.shape) +
           ")";
  // Sizes first: the rest computes with them.
  int64_t bytes = getSize(arg.dtype);
  for (auto [dim, size] : llvm::enumerate(arg.shape)) {
    if (size < 0)
      return "expected sizes of at least 0, got " + formatShape(arg.shape);
    if (type.shape[dim] != kDynamic && type.shape[dim] != size)
      return "expected size " + std::to_string(type.shape[dim]) +
             " in dimension " + std::to_string(dim) + ", got " +
             std::to_string(size) + " (expected shape " +
             formatShape(type.shape) + ", got " + formatShape(arg.shape) + ")";
    if (llvm::MulOverflow(bytes, std::max<int64_t>(size, 1), bytes))
      return "expected fewer than 2^63 bytes, got shape " +
             formatShape(arg.shape);
  }
  if (!arg.strides.empty() && arg.strides.size() != arg.shape.size())
    return "expected " + std::to_string(arg.shape.size()) + " strides, got " +
           std::to_string(arg.strides.size());
  if (llvm::is_contained(arg.shape, 0))
    return "";
  if (!arg.data)
    return "expected a pointer to the data, got null";
  auto address = reinterpret_cast<uintptr_t>(arg.data);
  if (address % getSize(arg.dtype))
    return "expected data aligned to " + std::to_string(getSize(arg.dtype)) +
           " bytes, got an address that is " +
           std::to_string(address % getSize(arg.dtype)) + " bytes off";

  SmallVector<int64_t, 4> strides(arg.strides);
  if (arg.strides.empty())
    strides = getRowMajorStrides(arg.shape);
  if (type.contiguous) {
    if (!isRowMajor(arg.shape, strides))
      return "expected row-major data without gaps (strides " +
             formatList(getRowMajorStrides(arg.shape)) + "), got strides " +
             formatList(strides);
    return "";
  }
  for (auto [size, stride, expected] :
       llvm::zip(arg.shape, strides, type.strides))
    if (size != 1 && expected != kDynamic && expected != stride)
      return "expected strides " + formatList(type.strides) + ", got " +
             formatList(strides);
  return "";
}

llvm::Error runtime::checkArguments(const Signature &function,
                                    ArrayRef<TensorRef> args) {
  if (args.size() != function.arguments.size())
    return llvm::createStringError(
        "function '%s': expected %zu arguments, got %zu", function.name.c_str(),
        function.arguments.size(), args.size());
  for (auto [position, type, arg] : llvm::enumerate(function.arguments, args)) {
    std::string complaint = check(type, arg);
    if (!complaint.empty())
      return llvm::createStringError("function '%s', argument #%zu: %s",
                                     function.name.c_str(), position,
                                     complaint.c_str());
  }
  return llvm::Error::success();
}
