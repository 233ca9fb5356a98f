//===- LotHeadToVector.cpp - Head ops to calls of vector code -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Every head op becomes a call of a private function. Ops with the same types
// and attributes share one, so the query and the key side compile once. A pass
// over tokens is two functions: `<op>_part` does a range of its chunks, `<op>`
// gives all chunks to its threads and folds what they leave.
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

/// Writes the functions of one op.
class PassEmitter {
public:
  PassEmitter(Operation *op, FunctionType type, SymbolTable &symbols);

  /// A pass over chunks.
  template <typename OpTy>
  func::FuncOp emit(OpTy op);
  /// An op that one function does as a whole.
  template <typename OpTy>
  func::FuncOp emit(OpTy op, void (*body)(Emitter &, OpTy, ValueRange));

private:
  func::FuncOp createFunction(const Twine &suffix, TypeRange arguments,
                              TypeRange results);
  Emitter startBody(func::FuncOp function);
  Value emitLength(Emitter &e, ValueRange args);
  void emitParts(Emitter &e, Chunks chunks, Value threads,
                 function_ref<void(OpBuilder &, Value, Value)> part);

  Operation *op;
  FunctionType type;
  SymbolTable &symbols;
};
} // namespace

/// The state type: the element type of the op's mass or pivot buffers.
static FloatType getState(Operation *op) {
  return TypeSwitch<Operation *, FloatType>(op)
      .Case<HeadMassOp, HeadFactorOp, HeadSweepOp, HeadGatherOp, HeadApplyOp,
            HeadAdjointOp, HeadAdjointSweepOp>([](auto op) {
        return cast<FloatType>(
            cast<MemRefType>(op.getMass().getType()).getElementType());
      })
      .Case<HeadLogSweepOp, HeadLogAdjointSweepOp, HeadFirstStepOp,
            HeadScoreGradientOp, HeadMassGradientOp, HeadRowCotangentOp>(
          [](auto op) {
            return cast<FloatType>(
                cast<MemRefType>(op.getLog2Mass().getType()).getElementType());
          })
      .Case<HeadAppendOnesOp>([](HeadAppendOnesOp op) {
        return cast<FloatType>(
            cast<MemRefType>(op.getRows().getType()).getElementType());
      });
}

PassEmitter::PassEmitter(Operation *op, FunctionType type, SymbolTable &symbols)
    : op(op), type(type), symbols(symbols) {}

/// Named after the op. Not inlined: that would compile the same loops once a
/// call.
func::FuncOp PassEmitter::createFunction(const Twine &suffix,
                                         TypeRange arguments,
                                         TypeRange results) {
  Builder b(op->getContext());
  std::string name = (op->getName().getStringRef() + suffix).str();
  llvm::replace(name, '.', '_');
  auto function = func::FuncOp::create(op->getLoc(), name,
                                       b.getFunctionType(arguments, results));
  function.setPrivate();
  function->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
  function.addEntryBlock();
  symbols.insert(function);
  return function;
}

Emitter PassEmitter::startBody(func::FuncOp function) {
  OpBuilder b = OpBuilder::atBlockBegin(&function.front());
  return Emitter(op->getLoc(), b,
                 op->getAttrOfType<CPUScheduleAttr>("schedule"), getState(op));
}

/// The number of tokens of a pass.
Value PassEmitter::emitLength(Emitter &e, ValueRange args) {
  if (auto sweep = dyn_cast<HeadSweepOp>(op))
    return args[sweep.getLengthMutable().getOperandNumber()];
  if (auto sweep = dyn_cast<HeadAdjointSweepOp>(op))
    return args[sweep.getLengthMutable().getOperandNumber()];
  return memref::DimOp::create(e, args.front(), 0); // tokens
}

/// Calls `part(first, end)` for all chunks: at once, or by `threads` threads of
/// which each takes a range.
void PassEmitter::emitParts(
    Emitter &e, Chunks chunks, Value threads,
    function_ref<void(OpBuilder &, Value, Value)> part) {
  if (!threads)
    return part(e, e.index(0), chunks.count);
  Value zero = e.index(0), one = e.index(1);
  Value parts = e.minIndex(threads, chunks.count);
  Value several =
      arith::CmpIOp::create(e, arith::CmpIPredicate::sgt, parts, one);
  auto share = scf::IfOp::create(e, several, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPoint(share.thenBlock()->getTerminator());
  scf::ParallelOp::create(
      e, zero, parts, one, [&](OpBuilder &b, Location loc, ValueRange iv) {
        auto border = [&](Value i) -> Value {
          Value scaled = arith::MulIOp::create(b, loc, i, chunks.count);
          return arith::DivUIOp::create(b, loc, scaled, parts);
        };
        Value first = border(iv[0]);
        part(b, first, border(arith::AddIOp::create(b, loc, iv[0], one)));
      });
  // Not a parallel region of one thread: entering one inside another costs as
  // much as a short pass.
  e.setInsertionPoint(share.elseBlock()->getTerminator());
  part(e, zero, chunks.count);
}

template <typename OpTy>
func::FuncOp PassEmitter::emit(OpTy op,
                               void (*body)(Emitter &, OpTy, ValueRange)) {
  func::FuncOp function =
      createFunction("", type.getInputs(), type.getResults());
  Emitter e = startBody(function);
  body(e, op, function.getArguments());
  func::ReturnOp::create(e);
  return function;
}

template <typename OpTy>
func::FuncOp PassEmitter::emit(OpTy op) {
  // The part: the operands but `threads`, which is the last one, and a range.
  bool shared = bool(op.getThreads());
  SmallVector<Type> types(type.getInputs().drop_back(shared));
  size_t numOperands = types.size();
  types.append(2, IndexType::get(op.getContext()));
  func::FuncOp part = createFunction("_part", types, {});
  {
    Emitter e = startBody(part);
    ValueRange args = part.getArguments();
    Value length = emitLength(e, args);
    emitPart(e, op, args.take_front(numOperands),
             {length, emitChunks(e, length, e.tile()), args[numOperands],
              args[numOperands + 1]});
    func::ReturnOp::create(e);
  }

  func::FuncOp pass = createFunction("", type.getInputs(), type.getResults());
  Emitter e = startBody(pass);
  ValueRange args = pass.getArguments();
  Chunks chunks = emitChunks(e, emitLength(e, args), e.tile());
  emitParts(e, chunks, shared ? args.back() : Value(),
            [&](OpBuilder &b, Value first, Value end) {
              SmallVector<Value> operands(args.take_front(numOperands));
              operands.append({first, end});
              func::CallOp::create(b, op.getLoc(), part, operands);
            });
  func::ReturnOp::create(e, emitFold(e, op, args, chunks));
  return pass;
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
  if (!body)
    body =
        TypeSwitch<Operation *, func::FuncOp>(op)
            .Case([&](HeadMassOp op) {
              return PassEmitter(op, type, symbols).emit(op, emitHeadMass);
            })
            .Case([&](HeadFirstStepOp op) {
              return PassEmitter(op, type, symbols).emit(op, emitHeadFirstStep);
            })
            .Case([&](HeadMassGradientOp op) {
              return PassEmitter(op, type, symbols)
                  .emit(op, emitHeadMassGradient);
            })
            .Case([&](HeadAppendOnesOp op) {
              return PassEmitter(op, type, symbols)
                  .emit(op, emitHeadAppendOnes);
            })
            .Case([&](HeadRowCotangentOp op) {
              return PassEmitter(op, type, symbols)
                  .emit(op, emitHeadRowCotangent);
            })
            .Case<HeadFactorOp, HeadSweepOp, HeadLogSweepOp, HeadGatherOp,
                  HeadApplyOp, HeadAdjointOp, HeadAdjointSweepOp,
                  HeadLogAdjointSweepOp, HeadScoreGradientOp>([&](auto op) {
              return PassEmitter(op, type, symbols).emit(op);
            });
  return body;
}

void ConvertLotHeadToVector::runOnOperation() {
  bodies.clear();
  SymbolTable symbols(getOperation());
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) {
    if (isa<HeadMassOp, HeadFactorOp, HeadSweepOp, HeadLogSweepOp, HeadGatherOp,
            HeadApplyOp, HeadAdjointOp, HeadAdjointSweepOp,
            HeadLogAdjointSweepOp, HeadFirstStepOp, HeadScoreGradientOp,
            HeadMassGradientOp, HeadAppendOnesOp, HeadRowCotangentOp>(op))
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
