//===- FrameworkCall.h - A framework's call of the operator -----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What frameworks write down differently and mean alike: which value is which
// operand, and the attributes. `readStableHLOCall` and `readTorchCall` make one
// of these of an op that they know by name; `emitAttention` makes lot ops of
// it. The frameworks' dialects are not linked: their ops are read as
// unregistered ones, by name and attribute.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_FRAMEWORKSTOLOT_FRAMEWORKCALL_H
#define LOT_LIB_CONVERSION_FRAMEWORKSTOLOT_FRAMEWORKCALL_H

#include "lot/IR/Lot.h"

namespace mlir::lot {

/// The names of the operands, in the order of the ops.
inline constexpr StringLiteral kOperandNames[] = {
    "query",          "key",          "value",          "pivots",
    "query_log_mass", "key_log_mass", "pivot_log_mass", "glue_log_mass"};
inline constexpr unsigned kNumOperands = 8, kNumRequired = 4;

/// A call of lot.attention or of its vjp.
struct FrameworkCall {
  Operation *op;
  /// The result's cotangent: a call of the vjp. Null otherwise.
  Value cotangent;
  /// By kOperandNames, masses may be null. On builtin tensors.
  std::array<Value, kNumOperands> operands;
  /// The type of the result, or of the gradient of each operand that has one;
  /// null where nobody asks for it.
  SmallVector<RankedTensorType, kNumOperands> results;

  FloatAttr scale, epsilon, rowFloor, scoreClamp, outScale;
  IntegerAttr halfSteps;
  NormalizationAttr normalization;

  explicit FrameworkCall(Operation *op);

  /// Sets the attribute of that name from a number or a string, with the
  /// conversions that frameworks leave to the reader: any width of floats and
  /// integers, an integer for a float. An error for an unknown name and for a
  /// value of another kind. `where` says what the name is a part of.
  LogicalResult setAttribute(StringRef name, Attribute value, StringRef where);

  /// Whether these are the four operands, ranked tensors of floats; what the
  /// verifier of lot.attention takes for granted.
  LogicalResult checkOperands();
};

/// Starts an error at an op that the pass knows and cannot import.
InFlightDiagnostic emitImportError(Operation *op);

/// "ranked tensor" check with the operand's name.
FailureOr<RankedTensorType> getFloatTensor(Operation *op, StringRef name,
                                           Type type);

/// The dictionary of a custom call: mhlo.backend_config, or backend_config as a
/// dictionary or as JSON. Empty where there is none.
FailureOr<DictionaryAttr> readBackendConfig(Operation *op);

/// Whether the op is a custom call, or a torch operator, of this project.
bool isStableHLOCall(Operation *op);
bool isTorchCall(Operation *op);

/// A custom call of JAX's that stops the program unless its first operand, a
/// tensor<i1>, holds; and its replacement by cf.assert.
bool isShapeAssertion(Operation *op);
LogicalResult importShapeAssertion(Operation *op);

/// Replaces the op by lot ops, with what converts their results to what its
/// users expect. Errors leave the op as it is.
LogicalResult importStableHLOCall(Operation *op);
LogicalResult importTorchCall(Operation *op);

/// lot.attention or lot.attention_vjp before the call's op: the result, or the
/// gradients in the order of `results` (those asked for). The new op is
/// verified.
FailureOr<SmallVector<Value>> emitAttention(OpBuilder &b, FrameworkCall &call);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_FRAMEWORKSTOLOT_FRAMEWORKCALL_H
