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
  InFlightDiagnostic diag = op->emitOpError() << label << ": expected "
                                              << operand.name << " of rank ";
  llvm::interleave(
      ranks, [&](int64_t r) { diag << r; }, [&] { diag << " or "; });
  return diag << ", got " << operand.type();
}

LogicalResult lot::verifyDimGroups(Operation *op, const DimGroups &groups) {
  for (const DimGroup &group : groups) {
    const OperandDim *first = nullptr;
    for (const OperandDim &dim : group.dims) {
      if (ShapedType::isDynamic(dim.size()))
        continue;
      if (!first)
        first = &dim;
      if (dim.size() != first->size())
        return op->emitOpError()
               << group.label << ": expected " << dim.operand.name
               << " to have the " << group.what << " " << first->size()
               << " of " << first->operand.name << ", got " << dim.size();
    }
  }
  return success();
}

LogicalResult lot::verifyStaticDim(Operation *op, StringRef label,
                                   StringRef what, Named operand, int64_t dim) {
  int64_t size = operand.dim(dim);
  if (ShapedType::isDynamic(size))
    return op->emitOpError()
           << label << ": expected a static " << what << " in " << operand.name
           << ", got " << operand.type();
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
  llvm::interleave(types, [&](Type t) { diag << t; }, [&] { diag << " or "; });
  return diag << " in " << operand.name << ", got " << type;
}

LogicalResult lot::verifyOneElementType(Operation *op, StringRef label,
                                        ArrayRef<Named> operands,
                                        ArrayRef<Type> types) {
  SmallVector<Type> expected(types);
  for (Named operand : operands) {
    if (!operand.value)
      continue;
    if (failed(verifyElementType(op, label, operand, expected)))
      return failure();
    expected = {operand.type().getElementType()};
  }
  return success();
}

LogicalResult lot::verifyScores(Operation *op, ScoreLabels labels, Named scores,
                                ArrayRef<Named> vectors) {
  Builder b(op->getContext());
  SmallVector<Named> all{scores};
  llvm::append_range(all, vectors);
  if (failed(verifyRank(op, labels.rank, scores, {2, 3, 4})) ||
      failed(verifyOneElementType(op, labels.types, all,
                                  {b.getF32Type(), b.getF64Type()})))
    return failure();
  for (Named vector : vectors)
    if (vector.value &&
        failed(verifyRank(op, labels.shapes, vector, {scores.rank() - 1})))
      return failure();
  return verifyStaticDim(op, labels.pivots, "number of pivots r", scores, -1);
}

DimGroups lot::getScoreDimGroups(StringRef label, Named scores,
                                 ArrayRef<Named> tokenVectors,
                                 ArrayRef<Named> pivotVectors) {
  DimGroups groups;
  for (int64_t i = 0, e = scores.rank() - 2; i < e; ++i) {
    DimGroup &batch = groups.emplace_back(label, "batch size");
    batch.add(scores, i);
    for (Named vector : tokenVectors)
      batch.add(vector, i);
    for (Named vector : pivotVectors)
      batch.add(vector, i);
  }
  DimGroup &tokens = groups.emplace_back(label, "number of tokens");
  tokens.add(scores, -2);
  for (Named vector : tokenVectors)
    tokens.add(vector, -1);
  DimGroup &pivots = groups.emplace_back(label, "number of pivots");
  pivots.add(scores, -1);
  for (Named vector : pivotVectors)
    pivots.add(vector, -1);
  return groups;
}

LogicalResult lot::verifyTrajectory(Operation *op, StringRef types,
                                    StringRef shape, Named scores,
                                    Named trajectory) {
  if (!trajectory.value)
    return success();
  if (failed(verifyElementType(op, types, trajectory,
                               {scores.type().getElementType()})) ||
      failed(verifyRank(op, shape, trajectory, {scores.rank()})))
    return failure();
  return success();
}

void lot::addTrajectoryDims(DimGroups &groups, StringRef label, Named scores,
                            Named trajectory) {
  if (!trajectory.value)
    return;
  int64_t batch = scores.rank() - 2;
  for (int64_t i = 0; i < batch; ++i)
    groups.push_back(
        DimGroup(label, "batch size").add(scores, i).add(trajectory, i));
  groups.push_back(
      DimGroup(label, "number of pivots").add(scores, -1).add(trajectory, -1));
}

LogicalResult lot::verifyTrajectorySteps(Operation *op, StringRef label,
                                         Named trajectory, int64_t pivotSteps) {
  if (!trajectory.value || trajectory.dim(-2) == pivotSteps + 1)
    return success();
  return op->emitOpError() << label << ": expected " << trajectory.name
                           << " to hold " << pivotSteps + 1
                           << " potentials (the start and " << pivotSteps
                           << " pivot steps), got " << trajectory.type();
}

SmallVector<Named> lot::givenOperands(ArrayRef<Named> operands) {
  SmallVector<Named> given;
  llvm::copy_if(operands, std::back_inserter(given),
                [](Named operand) { return operand.value != nullptr; });
  return given;
}

/// An init under the name of the operand whose gradient it takes; the context
/// keeps the string.
static Named gradientInit(Named operand, Value init) {
  return {init, StringAttr::get(init.getContext(),
                                "the init of " + operand.name.str())
                    .getValue()};
}

LogicalResult lot::verifyGradients(Operation *op,
                                   ArrayRef<Named> differentiated,
                                   ValueRange inits) {
  if (inits.size() != differentiated.size()) {
    InFlightDiagnostic diag = op->emitOpError("C90: expected one init for each "
                                              "of ");
    llvm::interleaveComma(differentiated, diag,
                          [&](Named operand) { diag << operand.name; });
    return diag << ", got " << inits.size();
  }
  for (auto [operand, init] : llvm::zip_equal(differentiated, inits)) {
    Named named = gradientInit(operand, init);
    if (failed(verifyRank(op, "C91", named, {operand.rank()})) ||
        failed(verifyElementType(op, "C91", named,
                                 {operand.type().getElementType()})))
      return failure();
  }
  return success();
}

void lot::addGradientDims(DimGroups &groups, ArrayRef<Named> differentiated,
                          ValueRange inits) {
  for (auto [operand, init] : llvm::zip_equal(differentiated, inits)) {
    Named named = gradientInit(operand, init);
    for (DimGroup &group : groups)
      // A copy: the group grows.
      for (OperandDim dim : SmallVector<OperandDim, 6>(group.dims))
        if (dim.operand.value == operand.value &&
            dim.operand.name == operand.name)
          group.add(named, dim.dim);
  }
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

bool lot::readsOperand(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (isa<SweepOp>(op) ||
      !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand))
    return true;
  // The gradient of prev is added up over sweeps.
  auto sweep = dyn_cast<SweepVjpOp>(op);
  return sweep && sweep.getPrev() &&
         operand.getOperandNumber() ==
             sweep.getInits().getBeginOperandIndex() + 1;
}

void lot::getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (readsOperand(operand))
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

void lot::nameResults(Operation *op, OpAsmSetValueNameFn setNameFn) {
  // On buffers there are none.
  if (op->getNumResults() == 0)
    return;
  StringRef name = op->getName().stripDialect();
  if (name.ends_with("_vjp"))
    name = "gradients";
  else if (name == "pivot_solve")
    name = "potentials";
  else if (name == "sweep")
    name = "sums";
  else if (name == "glue")
    name = "glued";
  setNameFn(op->getResult(0), name);
}
