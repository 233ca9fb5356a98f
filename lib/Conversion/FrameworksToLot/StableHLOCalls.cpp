//===- StableHLOCalls.cpp - Custom calls of StableHLO ---------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
//   "stablehlo.custom_call"(%q, %k, %v, %pivots, masses..., shapes...)
//       <{call_target_name = "lot.attention", ...}>
//       {mhlo.backend_config = {epsilon = 0.5, masses = "key_log_mass", ...}}
//
// `masses` names the operands after the pivots. lot.attention_vjp has the
// cotangent first and one result for each operand after it. Where sizes are
// symbolic, JAX appends the shape of each result; it follows from the operands.
//
//===----------------------------------------------------------------------===//

#include "FrameworkCall.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::lot;

static StringRef getTarget(Operation *op) {
  auto name = dyn_cast_or_null<StringAttr>(op->getAttr("call_target_name"));
  return name ? name.getValue() : StringRef();
}

bool lot::isStableHLOCall(Operation *op) {
  return op->getName().getStringRef() == "stablehlo.custom_call" &&
         getTarget(op).starts_with("lot.");
}

/// The operands without those that hold the shapes of results.
static FailureOr<SmallVector<Value>> dropShapeOperands(Operation *op) {
  SmallVector<Value> operands(op->getOperands());
  Attribute attribute = op->getAttr("indices_of_shape_operands");
  if (!attribute)
    return operands;
  auto indices = dyn_cast<DenseIntElementsAttr>(attribute);
  // One for each result, at the end.
  unsigned count = op->getNumResults(), first = operands.size() - count;
  bool valid =
      indices && indices.getNumElements() == count && count <= operands.size();
  for (unsigned i = 0; valid && i < count; ++i)
    valid = indices.getValues<APInt>()[i].getLimitedValue() == first + i;
  if (!valid)
    return emitImportError(op)
           << "indices_of_shape_operands: expected the last " << count
           << " operands, one for each result, got " << attribute;
  for (auto [i, operand] :
       llvm::enumerate(ArrayRef(operands).take_back(count))) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    auto result = dyn_cast<RankedTensorType>(op->getResult(i).getType());
    if (!type || !type.getElementType().isInteger() || !result ||
        type.getShape() != ArrayRef<int64_t>(result.getRank()))
      return emitImportError(op)
             << "operand " << first + i
             << ": expected the shape of a result, a tensor of one integer for "
                "each of its dims, got "
             << operand.getType();
  }
  operands.truncate(first);
  return operands;
}

/// The names in `masses`: "a,b" or ["a", "b"].
static FailureOr<SmallVector<StringRef>> readMasses(Operation *op,
                                                    Attribute masses) {
  SmallVector<StringRef> names;
  if (auto string = dyn_cast<StringAttr>(masses)) {
    if (!string.empty())
      string.getValue().split(names, ',');
    return names;
  }
  if (auto list = dyn_cast<ArrayAttr>(masses);
      list && llvm::all_of(list, llvm::IsaPred<StringAttr>)) {
    for (Attribute name : list)
      names.push_back(cast<StringAttr>(name).getValue());
    return names;
  }
  return emitImportError(op) << "masses: expected names of operands, as in "
                                "\"query_log_mass,key_log_mass\", got "
                             << masses;
}

/// Puts the operands where `masses` says that they belong.
static LogicalResult placeOperands(FrameworkCall &call, ValueRange operands,
                                   ArrayRef<StringRef> masses) {
  unsigned expected = kNumRequired + masses.size() + (call.cotangent ? 1 : 0);
  unsigned got = operands.size() + (call.cotangent ? 1 : 0);
  if (got != expected)
    return emitImportError(call.op)
           << "expected " << expected << " operands ("
           << (call.cotangent ? "the cotangent, " : "")
           << "query, key, value, pivots and " << masses.size()
           << " named by masses), got " << got;
  llvm::copy(operands.take_front(kNumRequired), call.operands.begin());
  auto names = ArrayRef<StringLiteral>(kOperandNames);
  unsigned last = kNumRequired - 1;
  for (auto [name, operand] :
       llvm::zip_equal(masses, operands.drop_front(kNumRequired))) {
    const StringLiteral *found =
        llvm::find(names.drop_front(kNumRequired), name);
    unsigned index = found - names.begin();
    if (found == names.end())
      return emitImportError(call.op)
             << "masses: expected query_log_mass, key_log_mass, pivot_log_mass "
                "or glue_log_mass, got '"
             << name << "'";
    // The gradients come in the order of the op.
    if (index <= last)
      return emitImportError(call.op)
             << "masses: expected each name once, in the order "
                "query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass, "
                "got '"
             << name << "' after '" << names[last] << "'";
    call.operands[last = index] = operand;
  }
  return success();
}

static LogicalResult readConfig(FrameworkCall &call,
                                SmallVectorImpl<StringRef> &masses) {
  FailureOr<DictionaryAttr> config = readBackendConfig(call.op);
  if (failed(config))
    return failure();
  for (NamedAttribute entry : *config) {
    if (entry.getName() != "masses") {
      if (failed(call.setAttribute(entry.getName(), entry.getValue(),
                                   "backend_config")))
        return failure();
      continue;
    }
    FailureOr<SmallVector<StringRef>> names =
        readMasses(call.op, entry.getValue());
    if (failed(names))
      return failure();
    masses.assign(*names);
  }
  return success();
}

/// What a custom call may say that this operator has no meaning for.
static LogicalResult checkTraits(Operation *op) {
  for (StringRef name : {"called_computations", "output_operand_aliases"})
    if (auto list = dyn_cast_or_null<ArrayAttr>(op->getAttr(name));
        list && !list.empty())
      return emitImportError(op)
             << name << ": expected none, got " << list.size();
  if (op->getNumRegions() || op->getNumSuccessors())
    return emitImportError(op) << "expected no regions and no successors";
  return success();
}

LogicalResult lot::importStableHLOCall(Operation *op) {
  bool backward = getTarget(op) == "lot.attention_vjp";
  if (!backward && getTarget(op) != "lot.attention")
    return emitImportError(op)
           << "expected call_target_name lot.attention or lot.attention_vjp, "
              "got "
           << getTarget(op);
  FrameworkCall call(op);
  SmallVector<StringRef> masses;
  if (failed(checkTraits(op)) || failed(readConfig(call, masses)))
    return failure();
  FailureOr<SmallVector<Value>> operands = dropShapeOperands(op);
  if (failed(operands))
    return failure();
  ValueRange rest(*operands);
  if (backward) {
    if (rest.empty())
      return emitImportError(op) << "expected the cotangent, got no operands";
    call.cotangent = rest.front();
    rest = rest.drop_front();
  }
  if (failed(placeOperands(call, rest, masses)))
    return failure();
  unsigned results = backward ? rest.size() : 1;
  if (op->getNumResults() != results)
    return emitImportError(op)
           << "expected " << results
           << (backward ? " results, a gradient for each operand but the "
                          "cotangent, got "
                        : " result, got ")
           << op->getNumResults();
  for (auto [i, type] : llvm::enumerate(op->getResultTypes())) {
    FailureOr<RankedTensorType> tensor =
        getFloatTensor(op, ("result " + Twine(i)).str(), type);
    if (failed(tensor))
      return failure();
    call.results.push_back(*tensor);
  }
  OpBuilder b(op);
  FailureOr<SmallVector<Value>> values = emitAttention(b, call);
  if (failed(values))
    return failure();
  op->replaceAllUsesWith(*values);
  op->erase();
  return success();
}

bool lot::isShapeAssertion(Operation *op) {
  return op->getName().getStringRef() == "stablehlo.custom_call" &&
         getTarget(op) == "shape_assertion";
}

LogicalResult lot::importShapeAssertion(Operation *op) {
  auto condition = op->getNumOperands()
                       ? dyn_cast<RankedTensorType>(op->getOperand(0).getType())
                       : RankedTensorType();
  auto message = dyn_cast_or_null<StringAttr>(op->getAttr("error_message"));
  if (!condition || condition.getRank() != 0 ||
      !condition.getElementType().isInteger(1) || !message ||
      op->getNumResults() != 0)
    return emitImportError(op) << "expected a tensor<i1>, an error_message and "
                                  "no results of @shape_assertion";
  OpBuilder b(op);
  Value holds = tensor::ExtractOp::create(b, op->getLoc(), op->getOperand(0),
                                          ValueRange());
  cf::AssertOp::create(b, op->getLoc(), holds, message);
  op->erase();
  return success();
}
