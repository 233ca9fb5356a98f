//===- TorchCalls.cpp - Operators of torch-mlir ---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The raw output of torch-mlir keeps an operator that it does not know:
//
//   "torch.operator"(%q, %k, %v, %pivots, %none, ..., %epsilon, ...)
//       <{name = "torch.lot.attention"}>
//
// with the arguments of the schema in lot.torch: eight tensors or none, then
// the seven attributes as constants. torch.lot.attention_backward has the
// cotangent first, a list of eight bools (which gradients are asked for) last,
// and a list as its result, which torch.prim.ListUnpack takes apart.
//
//===----------------------------------------------------------------------===//

#include "FrameworkCall.h"
#include "TorchValues.h"

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::torch;

static constexpr StringLiteral kAttributeNames[] = {
    "scale",     "epsilon",     "half_steps", "normalization",
    "row_floor", "score_clamp", "out_scale"};
static constexpr StringLiteral kPrefix = "torch.lot.";

static StringRef getTarget(Operation *op) {
  auto name = dyn_cast_or_null<StringAttr>(op->getAttr("name"));
  return name ? name.getValue() : StringRef();
}

bool lot::isTorchCall(Operation *op) {
  return op->getName().getStringRef() == "torch.operator" &&
         getTarget(op).starts_with(kPrefix);
}

/// An op of torch_c, between tensors of torch and builtin ones.
static Value convert(OpBuilder &b, Location loc, StringRef name, Value value,
                     Type type) {
  OperationState state(loc, name, value, type);
  return b.create(state)->getResult(0);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// One of the eight operands; null where it is none.
static FailureOr<Value> readOperand(OpBuilder &b, Operation *op, StringRef name,
                                    Value value, bool required) {
  // What scripted functions wrap around an optional argument.
  if (getDefiningName(value) == "torch.derefine" &&
      value.getDefiningOp()->getNumOperands() == 1)
    value = value.getDefiningOp()->getOperand(0);
  if (getDefiningName(value) == "torch.constant.none") {
    if (!required)
      return Value();
    return emitImportError(op) << name << ": expected a tensor, got none";
  }
  FailureOr<RankedTensorType> type = getBuiltinType(op, name, value.getType());
  if (failed(type))
    return failure();
  return convert(b, op->getLoc(), "torch_c.to_builtin_tensor", value, *type);
}

static LogicalResult readAttributes(FrameworkCall &call, ValueRange values) {
  for (auto [name, value] : llvm::zip_equal(kAttributeNames, values)) {
    Attribute constant = getConstant(value);
    if (!constant)
      return emitImportError(call.op)
             << name << ": expected a constant, got " << describe(value);
    if (failed(call.setAttribute(name, constant, "arguments")))
      return failure();
  }
  return success();
}

/// The list of bools that says which gradients are asked for.
static FailureOr<SmallVector<bool>> readNeeds(FrameworkCall &call,
                                              Value value) {
  SmallVector<bool> needs;
  if (getDefiningName(value) == "torch.prim.ListConstruct")
    for (Value element : value.getDefiningOp()->getOperands())
      if (auto flag = dyn_cast_or_null<IntegerAttr>(getConstant(element)))
        needs.push_back(!flag.getValue().isZero());
  if (needs.size() != kNumOperands)
    return emitImportError(call.op)
           << "needs: expected a list of " << kNumOperands
           << " constant bools, got " << describe(value);
  for (auto [name, operand, needed] :
       llvm::zip_equal(kOperandNames, call.operands, needs))
    if (needed && !operand)
      return emitImportError(call.op)
             << name
             << ": expected a tensor where a gradient is asked for, "
                "got none";
  return needs;
}

/// The values that hold the gradients: the op's own results, or what one
/// torch.prim.ListUnpack makes of its list.
static FailureOr<Operation *> findGradients(Operation *op, unsigned count) {
  Operation *holder = op;
  if (op->getNumResults() == 1) {
    std::string type;
    llvm::raw_string_ostream(type) << op->getResult(0).getType();
    if (StringRef(type).starts_with("!torch.list<")) {
      if (op->use_empty() && count == 0)
        return holder;
      holder = op->hasOneUse() ? *op->user_begin() : nullptr;
      if (!holder ||
          holder->getName().getStringRef() != "torch.prim.ListUnpack")
        return emitImportError(op)
               << "expected torch.prim.ListUnpack as the one user of the list "
                  "of gradients, got "
               << (holder ? ("'" + holder->getName().getStringRef() + "'").str()
                          : std::to_string(llvm::range_size(op->getUsers())) +
                                " users");
    }
  }
  if (holder->getNumResults() != count)
    return emitImportError(op) << "expected " << count
                               << " gradients, as many as are asked for, got "
                               << holder->getNumResults();
  return holder;
}

/// The types of the gradients in the order of the operands that are given;
/// null for those that nobody asks for.
static LogicalResult readGradientTypes(FrameworkCall &call, Operation *holder,
                                       ArrayRef<bool> needs) {
  auto next = holder->result_type_begin();
  for (auto [name, operand, needed] :
       llvm::zip_equal(kOperandNames, call.operands, needs)) {
    if (!operand)
      continue;
    call.results.emplace_back();
    if (!needed)
      continue;
    FailureOr<RankedTensorType> type =
        getBuiltinType(call.op, ("gradient of " + name).str(), *next++);
    if (failed(type))
      return failure();
    call.results.back() = *type;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Import
//===----------------------------------------------------------------------===//

/// Reads operands and attributes into the call, casts are made by `b`.
static LogicalResult readArguments(OpBuilder &b, FrameworkCall &call,
                                   bool backward) {
  Operation *op = call.op;
  unsigned expected =
      kNumOperands + std::size(kAttributeNames) + (backward ? 2 : 0);
  if (op->getNumOperands() != expected)
    return emitImportError(op)
           << "expected the " << expected
           << " arguments of lot::" << getTarget(op).drop_front(kPrefix.size())
           << " in lot.torch, got " << op->getNumOperands();
  ValueRange arguments = op->getOperands();
  if (backward) {
    FailureOr<Value> cotangent = readOperand(b, op, "cotangent", arguments[0],
                                             /*required=*/true);
    if (failed(cotangent))
      return failure();
    call.cotangent = *cotangent;
    arguments = arguments.drop_front().drop_back();
  }
  for (unsigned i = 0; i < kNumOperands; ++i) {
    FailureOr<Value> operand =
        readOperand(b, op, kOperandNames[i], arguments[i], i < kNumRequired);
    if (failed(operand))
      return failure();
    call.operands[i] = *operand;
  }
  return readAttributes(call, arguments.drop_front(kNumOperands));
}

/// Reads the op; returns the one whose results the new values replace.
static FailureOr<Operation *> readCall(OpBuilder &b, FrameworkCall &call) {
  Operation *op = call.op;
  bool backward = getTarget(op) == "torch.lot.attention_backward";
  if (!backward && getTarget(op) != "torch.lot.attention")
    return emitImportError(op) << "expected torch.lot.attention or "
                                  "torch.lot.attention_backward, got "
                               << getTarget(op);
  if (op->getNumRegions() || op->getNumSuccessors())
    return emitImportError(op) << "expected no regions and no successors";
  if (failed(readArguments(b, call, backward)))
    return failure();
  if (!backward) {
    if (op->getNumResults() != 1)
      return emitImportError(op)
             << "expected 1 result, got " << op->getNumResults();
    FailureOr<RankedTensorType> type =
        getBuiltinType(op, "result", op->getResult(0).getType());
    if (failed(type))
      return failure();
    call.results.push_back(*type);
    return op;
  }
  FailureOr<SmallVector<bool>> needs =
      readNeeds(call, op->getOperands().back());
  if (failed(needs))
    return failure();
  FailureOr<Operation *> holder = findGradients(op, llvm::count(*needs, true));
  if (failed(holder) || failed(readGradientTypes(call, *holder, *needs)))
    return failure();
  return holder;
}

LogicalResult lot::importTorchCall(Operation *op) {
  OpBuilder b(op);
  FrameworkCall call(op);
  FailureOr<Operation *> holder = readCall(b, call);
  if (failed(holder))
    return failure();
  FailureOr<SmallVector<Value>> values = emitAttention(b, call);
  if (failed(values))
    return failure();
  for (auto [result, value] : llvm::zip((*holder)->getResults(), *values))
    result.replaceAllUsesWith(convert(b, op->getLoc(),
                                      "torch_c.from_builtin_tensor", value,
                                      result.getType()));
  if (*holder != op)
    (*holder)->erase();
  op->erase();
  return success();
}
