//===- LotHeadToVector.cpp - Head ops to calls of vector code -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Every head op becomes a call of a private function. Ops with the same types
// and attributes share one, so the query and the key side compile once.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"
#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::lot {
#define GEN_PASS_DEF_CONVERTLOTHEADTOVECTOR
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct ConvertLotHeadToVector
    : public lot::impl::ConvertLotHeadToVectorBase<ConvertLotHeadToVector> {
  void runOnOperation() override;

private:
  func::FuncOp getOrCreateBody(Operation *op, SymbolTable &symbols);

  /// (name, operand types, attributes) of the ops done so far.
  DenseMap<Attribute, func::FuncOp> bodies;
};
} // namespace

/// The state type: the element type of the op's mass or pivot buffers.
static FloatType getState(Operation *op) {
  return TypeSwitch<Operation *, FloatType>(op)
      .Case<HeadMassOp, HeadFactorOp, HeadSweepOp, HeadGatherOp, HeadApplyOp>(
          [](auto op) {
            return cast<FloatType>(
                cast<MemRefType>(op.getMass().getType()).getElementType());
          })
      .Case<HeadLogSweepOp>([](HeadLogSweepOp op) {
        return cast<FloatType>(
            cast<MemRefType>(op.getPivots().getType()).getElementType());
      });
}

static SmallVector<Value> emitBody(Emitter &e, Operation *op, ValueRange args) {
  return TypeSwitch<Operation *, SmallVector<Value>>(op)
      .Case([&](HeadMassOp op) {
        emitHeadMass(e, op, args);
        return SmallVector<Value>();
      })
      .Case([&](HeadFactorOp op) {
        return SmallVector<Value>{emitHeadFactor(e, op, args)};
      })
      .Case([&](HeadSweepOp op) {
        emitHeadSweep(e, op, args);
        return SmallVector<Value>();
      })
      .Case([&](HeadLogSweepOp op) {
        emitHeadLogSweep(e, op, args);
        return SmallVector<Value>();
      })
      .Case([&](HeadGatherOp op) {
        emitHeadGather(e, op, args);
        return SmallVector<Value>();
      })
      .Case([&](HeadApplyOp op) {
        emitHeadApply(e, op, args);
        return SmallVector<Value>();
      });
}

func::FuncOp ConvertLotHeadToVector::getOrCreateBody(Operation *op,
                                                     SymbolTable &symbols) {
  MLIRContext *context = op->getContext();
  auto type =
      FunctionType::get(context, op->getOperandTypes(), op->getResultTypes());
  Attribute key = ArrayAttr::get(
      context, {StringAttr::get(context, op->getName().getStringRef()),
                TypeAttr::get(type), op->getPropertiesAsAttribute()});
  func::FuncOp &body = bodies[key];
  if (body)
    return body;

  OpBuilder b(context);
  std::string name = op->getName().getStringRef().str();
  std::replace(name.begin(), name.end(), '.', '_');
  body = func::FuncOp::create(op->getLoc(), name, type);
  body.setPrivate();
  // Inlining would compile the same loops once a call.
  body->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
  Block *entry = body.addEntryBlock();
  symbols.insert(body);
  b.setInsertionPointToStart(entry);
  Emitter e(op->getLoc(), b, op->getAttrOfType<CPUScheduleAttr>("schedule"),
            getState(op));
  SmallVector<Value> results = emitBody(e, op, entry->getArguments());
  func::ReturnOp::create(e, results);
  return body;
}

void ConvertLotHeadToVector::runOnOperation() {
  bodies.clear();
  SymbolTable symbols(getOperation());
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) {
    if (isa<HeadMassOp, HeadFactorOp, HeadSweepOp, HeadLogSweepOp, HeadGatherOp,
            HeadApplyOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    func::FuncOp body = getOrCreateBody(op, symbols);
    OpBuilder b(op);
    auto call = func::CallOp::create(b, op->getLoc(), body, op->getOperands());
    op->replaceAllUsesWith(call.getResults());
    op->erase();
  }
}
