//===- TorchValues.h - Constants and types of torch-mlir --------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_FRAMEWORKSTOLOT_TORCHVALUES_H
#define LOT_LIB_CONVERSION_FRAMEWORKSTOLOT_TORCHVALUES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace mlir::lot::torch {

/// The name of the op that makes the value; empty for an argument.
StringRef getDefiningName(Value value);

/// The number, string or bool of a torch.constant, a unit for none; null for
/// anything else.
Attribute getConstant(Value value);

/// "an argument", "the result of 'torch.aten.add'".
std::string describe(Value value);

/// !torch.vtensor<[2,?,16],f32> as tensor<2x?x16xf32>. The type is read by its
/// text, which is all that is known of a type of an unregistered dialect.
FailureOr<RankedTensorType> getBuiltinType(Operation *op, StringRef name,
                                           Type type);

} // namespace mlir::lot::torch

#endif // LOT_LIB_CONVERSION_FRAMEWORKSTOLOT_TORCHVALUES_H
