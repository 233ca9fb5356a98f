//===- OpUtils.cpp - What the ops of the dialect share --------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace mlir::lot;

FloatType lot::getStateType(Type io) {
  if (isa<Float64Type>(io))
    return Float64Type::get(io.getContext());
  return Float32Type::get(io.getContext());
}

LogicalResult lot::verifyRank(Operation *op, StringRef label, Named operand,
                              ArrayRef<int64_t> ranks) {
  if (llvm::is_contained(ranks, operand.rank()))
    return success();
  InFlightDiagnostic diag = op->emitOpError()
                            << label << ": expected " << operand.name
                            << " of rank ";
  llvm::interleave(
      ranks, [&](int64_t r) { diag << r; }, [&] { diag << " or "; });
  return diag << ", got " << operand.type();
}

LogicalResult lot::verifySameDim(Operation *op, StringRef label, StringRef what,
                                 Named a, int64_t dimA, Named b, int64_t dimB) {
  int64_t sizeA = a.dim(dimA), sizeB = b.dim(dimB);
  if (ShapedType::isDynamic(sizeA) || ShapedType::isDynamic(sizeB) ||
      sizeA == sizeB)
    return success();
  return op->emitOpError() << label << ": expected " << b.name
                           << " to have the " << what << " " << sizeA << " of "
                           << a.name << ", got " << sizeB;
}

LogicalResult lot::verifyStaticDim(Operation *op, StringRef label,
                                   StringRef what, Named operand, int64_t dim) {
  int64_t size = operand.dim(dim);
  if (ShapedType::isDynamic(size))
    return op->emitOpError() << label << ": expected a static " << what
                             << " in " << operand.name << ", got "
                             << operand.type();
  if (size < 1)
    return op->emitOpError() << label << ": expected " << what << " of "
                             << operand.name << " >= 1, got " << size;
  return success();
}

LogicalResult lot::verifyElementType(Operation *op, StringRef label,
                                     Named operand, ArrayRef<Type> types) {
  Type type = operand.type().getElementType();
  if (llvm::is_contained(types, type))
    return success();
  InFlightDiagnostic diag = op->emitOpError()
                            << label << ": expected element type ";
  llvm::interleave(
      types, [&](Type t) { diag << t; }, [&] { diag << " or "; });
  return diag << " in " << operand.name << ", got " << type;
}

LogicalResult lot::verifyIoType(Operation *op, StringRef label, Named operand) {
  Builder b(op->getContext());
  return verifyElementType(
      op, label, operand,
      {b.getF16Type(), b.getBF16Type(), b.getF32Type(), b.getF64Type()});
}

LogicalResult lot::verifyDestinationStyle(Operation *op, StringRef label) {
  auto dps = cast<DestinationStyleOpInterface>(op);
  bool anyTensor = false, anyMemref = false;
  for (Type type : op->getOperandTypes()) {
    anyTensor |= isa<RankedTensorType>(type);
    anyMemref |= isa<MemRefType>(type);
  }
  if (anyTensor && anyMemref)
    return op->emitOpError()
           << label << ": expected all operands to be tensors or all memrefs";
  size_t expected = anyMemref ? 0 : dps.getNumDpsInits();
  if (op->getNumResults() != expected)
    return op->emitOpError() << label << ": expected " << expected
                             << " results, got " << op->getNumResults();
  for (auto [init, result] : llvm::zip(dps.getDpsInits(), op->getResults()))
    if (init.getType() != result.getType())
      return op->emitOpError()
             << label << ": expected the result type to be the init's type "
             << init.getType() << ", got " << result.getType();
  return success();
}

LogicalResult lot::reifyInitShapes(DestinationStyleOpInterface op, OpBuilder &b,
                                   ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : op.getDpsInits())
    if (isa<RankedTensorType>(init.getType()))
      shapes.push_back(tensor::getMixedSizes(b, op.getLoc(), init));
  return success(!shapes.empty());
}

void lot::getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

Speculation::Speculatability
lot::getDestinationStyleSpeculatability(DestinationStyleOpInterface op) {
  return op.hasPureTensorSemantics() ? Speculation::Speculatable
                                     : Speculation::NotSpeculatable;
}
