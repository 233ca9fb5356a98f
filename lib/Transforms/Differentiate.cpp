//===- Differentiate.cpp - The value-and-vjp function of a function -------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTDIFFERENTIATE
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

static bool isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

namespace {
/// Builds @<name>_vjp. Values of the function have a clone in the new one and,
/// where something depends on them, a cotangent.
class Differentiator {
public:
  Differentiator(func::FuncOp function) : function(function) {}

  LogicalResult run() {
    if (failed(check()))
      return failure();
    build();
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // What is differentiated
  //===--------------------------------------------------------------------===//

  /// Operands that the gradient flows to.
  static SmallVector<Value> differentiatedOperands(Operation *op) {
    if (auto attention = dyn_cast<AttentionOp>(op)) {
      SmallVector<Value> operands;
      for (Value operand :
           {attention.getQuery(), attention.getKey(), attention.getValue(),
            attention.getPivots(), attention.getQueryLogMass(),
            attention.getKeyLogMass(), attention.getPivotLogMass(),
            attention.getGlueLogMass()})
        if (operand)
          operands.push_back(operand);
      return operands;
    }
    return op->getOperands();
  }

  static bool hasRule(Operation *op) {
    return isa<AttentionOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
               arith::NegFOp, tensor::CastOp>(op);
  }

  /// Whether the op only asks for sizes, or makes a value that no argument's
  /// elements reach.
  bool isConstant(Operation *op) const {
    return isa<tensor::DimOp, tensor::EmptyOp>(op) ||
           llvm::none_of(op->getOperands(),
                         [&](Value value) { return active.contains(value); });
  }

  LogicalResult check() {
    if (!function.getBody().hasOneBlock())
      return function.emitOpError("lot-differentiate: expected one block, got ")
             << function.getBody().getBlocks().size();
    for (Type type : function.getFunctionType().getResults())
      if (!isFloatTensor(type))
        return function.emitOpError("lot-differentiate: expected results that "
                                    "are ranked tensors of floats, got ")
               << type;
    for (Value argument : function.getArguments())
      if (isFloatTensor(argument.getType()))
        active.insert(argument);
    for (Operation &op : function.front().without_terminator()) {
      if (!isMemoryEffectFree(&op) && !isa<AttentionOp>(op))
        return op.emitOpError("lot-differentiate: expected an op without side "
                              "effects on the way to the results");
      if (auto attention = dyn_cast<AttentionOp>(op);
          attention && !attention.hasPureTensorSemantics())
        return op.emitOpError("lot-differentiate: expected tensors, got "
                              "memrefs");
      if (op.getNumResults() > 1 && isa<AttentionOp>(op))
        return op.emitOpError("lot-differentiate: expected no residuals");
      if (isConstant(&op))
        continue;
      if (!hasRule(&op))
        return op.emitOpError("lot-differentiate: expected lot.attention, "
                              "arith.addf, subf, mulf, negf or tensor.cast "
                              "between arguments and results: this op has no "
                              "rule");
      if (isa<AttentionOp>(op) &&
          llvm::none_of(differentiatedOperands(&op),
                        [&](Value value) { return active.contains(value); }))
        continue; // only its init, whose values are not read
      for (Value result : op.getResults())
        if (isFloatTensor(result.getType()))
          active.insert(result);
        else
          return op.emitOpError("lot-differentiate: expected tensors of "
                                "floats, got ")
                 << result.getType();
    }
    return success();
  }

  //===--------------------------------------------------------------------===//
  // The new function
  //===--------------------------------------------------------------------===//

  Value empty(OpBuilder &b, Location loc, Value like) {
    return tensor::EmptyOp::create(
        b, loc, tensor::getMixedSizes(b, loc, like),
        cast<RankedTensorType>(like.getType()).getElementType());
  }

  /// Adds to the cotangent of a value of the old function.
  void accumulate(OpBuilder &b, Location loc, Value value, Value cotangent) {
    if (!active.contains(value))
      return;
    Value &sum = cotangents[value];
    sum = sum ? arith::AddFOp::create(b, loc, sum, cotangent).getResult()
              : cotangent;
  }

  void reverse(OpBuilder &b, AttentionOp op, Value cotangent) {
    SmallVector<Value> operands = differentiatedOperands(op), inits;
    for (Value operand : operands)
      inits.push_back(empty(b, op.getLoc(), mapping.lookup(operand)));
    auto at = [&](Value value) { return mapping.lookupOrNull(value); };
    auto mass = [&](Value value) { return value ? at(value) : Value(); };
    auto vjp = AttentionVjpOp::create(
        b, op.getLoc(), ValueRange(inits).getTypes(), cotangent,
        at(op.getQuery()), at(op.getKey()), at(op.getValue()),
        at(op.getPivots()), mass(op.getQueryLogMass()),
        mass(op.getKeyLogMass()), mass(op.getPivotLogMass()),
        mass(op.getGlueLogMass()), /*residuals=*/Value(), inits,
        op.getScaleAttr(), op.getEpsilonAttr(), op.getHalfStepsAttr(),
        op.getNormalizationAttr(), op.getRowFloorAttr(), op.getScoreClampAttr(),
        op.getOutScaleAttr(), op.getScheduleAttr());
    for (auto [operand, gradient] : llvm::zip_equal(operands, vjp.getResults()))
      accumulate(b, op.getLoc(), operand, gradient);
  }

  void reverse(OpBuilder &b, Operation *op) {
    Value cotangent = cotangents.lookup(op->getResult(0));
    if (!cotangent)
      return;
    if (auto attention = dyn_cast<AttentionOp>(op))
      return reverse(b, attention, cotangent);
    Location loc = op->getLoc();
    auto negative = [&]() -> Value {
      return arith::NegFOp::create(b, loc, cotangent);
    };
    Value first = op->getOperand(0);
    if (isa<tensor::CastOp>(op))
      return accumulate(
          b, loc, first,
          tensor::CastOp::create(b, loc, first.getType(), cotangent));
    if (isa<arith::NegFOp>(op))
      return accumulate(b, loc, first, negative());
    Value second = op->getOperand(1);
    if (isa<arith::MulFOp>(op)) {
      auto times = [&](Value factor) -> Value {
        return arith::MulFOp::create(b, loc, cotangent, mapping.lookup(factor));
      };
      accumulate(b, loc, first, times(second));
      return accumulate(b, loc, second, times(first));
    }
    accumulate(b, loc, first, cotangent);
    accumulate(b, loc, second, isa<arith::SubFOp>(op) ? negative() : cotangent);
  }

  void build() {
    Block &old = function.front();
    auto terminator = cast<func::ReturnOp>(old.getTerminator());
    SmallVector<Type> inputs(function.getArgumentTypes()),
        results(function.getResultTypes());
    llvm::append_range(inputs, function.getResultTypes());
    llvm::copy_if(function.getArgumentTypes(), std::back_inserter(results),
                  isFloatTensor);

    OpBuilder b(function);
    b.setInsertionPointAfter(function);
    Location loc = function.getLoc();
    auto vjp = func::FuncOp::create(
        b, loc, (function.getSymName() + "_vjp").str(),
        FunctionType::get(b.getContext(), inputs, results));
    vjp.setVisibility(function.getVisibility());
    vjp->setDiscardableAttrs(llvm::to_vector(function->getDiscardableAttrs()));
    Block *block = vjp.addEntryBlock();
    b.setInsertionPointToStart(block);
    unsigned count = function.getNumArguments();
    mapping.map(function.getArguments(),
                block->getArguments().take_front(count));
    for (Operation &op : old.without_terminator())
      b.clone(op, mapping);

    for (auto [value, cotangent] : llvm::zip_equal(
             terminator.getOperands(), block->getArguments().drop_front(count)))
      accumulate(b, loc, value, cotangent);
    for (Operation &op : llvm::reverse(old.without_terminator()))
      if (op.getNumResults() == 1 && hasRule(&op) &&
          active.contains(op.getResult(0)))
        reverse(b, &op);

    SmallVector<Value> returned;
    for (Value value : terminator.getOperands())
      returned.push_back(mapping.lookup(value));
    for (Value argument : function.getArguments()) {
      if (!isFloatTensor(argument.getType()))
        continue;
      Value gradient = cotangents.lookup(argument);
      if (!gradient) {
        // Nothing depends on its elements.
        Value destination = empty(b, loc, mapping.lookup(argument));
        Value zero = arith::ConstantOp::create(
            b, loc, b.getZeroAttr(getElementTypeOrSelf(argument.getType())));
        gradient = linalg::FillOp::create(b, loc, ValueRange(zero),
                                          ValueRange(destination))
                       .getResult(0);
      }
      returned.push_back(gradient);
    }
    func::ReturnOp::create(b, loc, returned);
  }

  func::FuncOp function;
  DenseSet<Value> active;
  DenseMap<Value, Value> cotangents;
  IRMapping mapping;
};

struct Differentiate : public lot::impl::LotDifferentiateBase<Differentiate> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    SymbolTable symbols(getOperation());
    if (this->function.empty()) {
      for (auto function : getOperation().getOps<func::FuncOp>())
        if (function.walk([](AttentionOp) { return WalkResult::interrupt(); })
                .wasInterrupted())
          functions.push_back(function);
    } else if (auto named = symbols.lookup<func::FuncOp>(this->function);
               named && !named.isExternal()) {
      functions.push_back(named);
    } else {
      getOperation().emitError("lot-differentiate: expected a function with a "
                               "body, got @")
          << this->function.getValue();
      return signalPassFailure();
    }
    for (func::FuncOp function : functions) {
      std::string name = (function.getSymName() + "_vjp").str();
      if (symbols.lookup(name)) {
        function.emitOpError("lot-differentiate: expected the name @")
            << name << " to be free";
        return signalPassFailure();
      }
      if (failed(Differentiator(function).run()))
        return signalPassFailure();
    }
  }
};
} // namespace
