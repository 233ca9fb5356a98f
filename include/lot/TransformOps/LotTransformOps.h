//===- LotTransformOps.h - Transform ops of the lot project ----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TRANSFORMOPS_LOTTRANSFORMOPS_H
#define LOT_TRANSFORMOPS_LOTTRANSFORMOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Transform/IR/TransformAttrs.h"
#include "mlir/Dialect/Transform/IR/TransformDialect.h"
#include "mlir/Dialect/Transform/IR/TransformTypes.h"
#include "mlir/Dialect/Transform/Interfaces/TransformInterfaces.h"
#include "mlir/IR/OpImplementation.h"

#define GET_OP_CLASSES
#include "lot/TransformOps/LotTransformOps.h.inc"

namespace mlir::lot {
/// Adds `transform.lot.*` to the transform dialect.
void registerTransformDialectExtension(DialectRegistry &registry);
} // namespace mlir::lot

#endif // LOT_TRANSFORMOPS_LOTTRANSFORMOPS_H
