//===- TorchValues.cpp - Constants and types of torch-mlir ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TorchValues.h"

#include "FrameworkCall.h"

using namespace mlir;
using namespace mlir::lot;

StringRef torch::getDefiningName(Value value) {
  Operation *op = value.getDefiningOp();
  return op ? op->getName().getStringRef() : StringRef();
}

Attribute torch::getConstant(Value value) {
  StringRef name = getDefiningName(value);
  if (name == "torch.constant.none")
    return UnitAttr::get(value.getContext());
  if (!name.starts_with("torch.constant."))
    return {};
  return value.getDefiningOp()->getAttr("value");
}

std::string torch::describe(Value value) {
  StringRef name = getDefiningName(value);
  return name.empty() ? "an argument" : ("the result of '" + name + "'").str();
}

/// f16, bf16, f32, f64 as torch writes them; null for others.
static Type getElementType(MLIRContext *context, StringRef name) {
  Builder b(context);
  if (name == "f16")
    return b.getF16Type();
  if (name == "bf16")
    return b.getBF16Type();
  if (name == "f32")
    return b.getF32Type();
  if (name == "f64")
    return b.getF64Type();
  return {};
}

FailureOr<RankedTensorType> torch::getBuiltinType(Operation *op, StringRef name,
                                                  Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  StringRef rest = text;
  auto unsupported = [&]() -> InFlightDiagnostic {
    return emitImportError(op)
           << name
           << ": expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got "
           << type;
  };
  if (!rest.consume_front("!torch.vtensor<[") || !rest.consume_back(">"))
    return unsupported();
  auto [sizes, element] = rest.split("],");
  SmallVector<StringRef> parts;
  if (!sizes.empty())
    sizes.split(parts, ',');
  SmallVector<int64_t> shape;
  for (StringRef part : parts) {
    int64_t size = ShapedType::kDynamic;
    if (part != "?" && (part.getAsInteger(10, size) || size < 0))
      return unsupported();
    shape.push_back(size);
  }
  Type elementType = getElementType(op->getContext(), element);
  if (!elementType)
    return unsupported();
  return RankedTensorType::get(shape, elementType);
}
