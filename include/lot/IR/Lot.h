//===- Lot.h - The lot dialect ----------------------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOT_H
#define LOT_IR_LOT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

#include "lot/IR/DimGroups.h"
#include "lot/IR/LotDialect.h.inc"
#include "lot/IR/LotEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "lot/IR/LotAttrs.h.inc"

#define GET_OP_CLASSES
#include "lot/IR/LotOps.h.inc"

namespace mlir::lot {
/// The type potentials and masses have beside operands of element type `io`:
/// f64 for f64, f32 otherwise (docs/semantics.md section 1).
FloatType getStateType(Type io);

/// Whether a destination-style op of the dialect reads the values of the
/// operand. Inits are only written, except those of `lot.sweep`, which merges
/// into them, and the gradient of prev of `lot.sweep_vjp`.
bool readsOperand(OpOperand &operand);
} // namespace mlir::lot

#endif // LOT_IR_LOT_H
