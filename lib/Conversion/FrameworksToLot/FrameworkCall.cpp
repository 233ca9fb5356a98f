//===- FrameworkCall.cpp - A framework's call of the operator -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameworkCall.h"

using namespace mlir;
using namespace mlir::lot;

InFlightDiagnostic lot::emitImportError(Operation *op) {
  return op->emitOpError("lot-import-frameworks: ");
}

FrameworkCall::FrameworkCall(Operation *op) : op(op) {
  Builder b(op->getContext());
  // The defaults of every front end.
  epsilon = b.getF64FloatAttr(1.0);
  halfSteps = b.getI64IntegerAttr(5);
  normalization =
      NormalizationAttr::get(op->getContext(), Normalization::query_mass);
  rowFloor = b.getF64FloatAttr(0.0);
  outScale = b.getF64FloatAttr(1.0);
}

/// The number as an f64 attribute; null if the attribute is no number.
static FloatAttr toF64(Attribute value) {
  Builder b(value.getContext());
  if (auto real = dyn_cast<FloatAttr>(value)) {
    APFloat number = real.getValue();
    bool inexact;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                   &inexact);
    return FloatAttr::get(b.getF64Type(), number);
  }
  auto integer = dyn_cast<IntegerAttr>(value);
  if (!integer || integer.getType().isInteger(1))
    return {};
  APFloat number(APFloat::IEEEdouble());
  number.convertFromAPInt(integer.getValue(),
                          /*IsSigned=*/!integer.getType().isUnsignedInteger(),
                          APFloat::rmNearestTiesToEven);
  return FloatAttr::get(b.getF64Type(), number);
}

/// The integer as an i64 attribute; null if it is none or does not fit.
static IntegerAttr toI64(Attribute value) {
  auto integer = dyn_cast<IntegerAttr>(value);
  if (!integer || integer.getType().isInteger(1))
    return {};
  APInt number = integer.getValue();
  bool isUnsigned = integer.getType().isUnsignedInteger();
  if (isUnsigned ? number.getActiveBits() > 63
                 : number.getSignificantBits() > 64)
    return {};
  int64_t i64 = isUnsigned ? number.getZExtValue() : number.getSExtValue();
  return Builder(value.getContext()).getI64IntegerAttr(i64);
}

LogicalResult FrameworkCall::setAttribute(StringRef name, Attribute value,
                                          StringRef where) {
  struct Real {
    StringLiteral name;
    FloatAttr *attribute;
  };
  const Real reals[] = {{"scale", &scale},
                        {"epsilon", &epsilon},
                        {"row_floor", &rowFloor},
                        {"score_clamp", &scoreClamp},
                        {"out_scale", &outScale}};
  for (const Real &real : reals)
    if (name == real.name) {
      // None, where a front end writes down what is not given.
      if (isa<UnitAttr>(value) && (name == "scale" || name == "score_clamp"))
        return success();
      if (FloatAttr number = toF64(value))
        return *real.attribute = number, success();
      return emitImportError(op) << where << ": expected " << name
                                 << " to be a number, got " << value;
    }
  if (name == "half_steps") {
    if (IntegerAttr number = toI64(value))
      return halfSteps = number, success();
    return emitImportError(op)
           << where << ": expected half_steps to be a 64-bit integer, got "
           << value;
  }
  if (name == "normalization") {
    auto string = dyn_cast<StringAttr>(value);
    if (std::optional<Normalization> kind =
            string ? symbolizeNormalization(string.getValue()) : std::nullopt)
      return normalization = NormalizationAttr::get(op->getContext(), *kind),
             success();
    return emitImportError(op)
           << where
           << ": expected normalization to be "
              "\"query_mass\", \"row_sum\" or \"none\", got "
           << value;
  }
  return emitImportError(op)
         << where
         << ": expected scale, epsilon, half_steps, normalization, row_floor, "
            "score_clamp, out_scale or masses, got unknown key '"
         << name << "'";
}

FailureOr<RankedTensorType> lot::getFloatTensor(Operation *op, StringRef name,
                                                Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && isa<FloatType>(tensor.getElementType()) &&
      !tensor.getEncoding())
    return tensor;
  return emitImportError(op)
         << name << ": expected a ranked tensor of f16, bf16, f32 or f64, got "
         << type;
}

LogicalResult FrameworkCall::checkOperands() {
  auto check = [&](StringRef name, Value value, ArrayRef<int64_t> ranks,
                   StringRef expected) -> LogicalResult {
    FailureOr<RankedTensorType> type =
        getFloatTensor(op, name, value.getType());
    if (failed(type))
      return failure();
    if (llvm::is_contained(ranks, type->getRank()))
      return success();
    return emitImportError(op) << name << ": expected rank " << expected
                               << ", got rank " << type->getRank();
  };
  if (cotangent && failed(check("cotangent", cotangent, {4}, "4")))
    return failure();
  for (auto [name, value] : llvm::zip_equal(kOperandNames, operands)) {
    if (!value)
      continue;
    bool isMass = name.ends_with("_log_mass");
    if (isMass             ? failed(check(name, value, {2, 3}, "2 or 3"))
        : name == "pivots" ? failed(check(name, value, {3, 4}, "3 or 4"))
                           : failed(check(name, value, {4}, "4")))
      return failure();
  }
  return success();
}
