//===- ExpandHeads.cpp - lot.attention on buffers to passes over tokens ---===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadWorker.h"
#include "lot/Conversion/Chunks.h"
#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTEXPANDHEADS
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct ExpandHeads : public lot::impl::LotExpandHeadsBase<ExpandHeads> {
  using LotExpandHeadsBase::LotExpandHeadsBase;

  void runOnOperation() override;

private:
  template <typename OpTy>
  LogicalResult expand(OpTy op, SymbolTable &symbols);
  func::FuncOp outline(const AttentionLike &op, ValueRange others,
                       SymbolTable &symbols);
  Value emitThreads(ImplicitLocOpBuilder &b);
  void emitCalls(ImplicitLocOpBuilder &b, const AttentionLike &op,
                 ValueRange others, func::FuncOp worker);
};
} // namespace

/// The function that does some heads of `op`. `others` are operands of its
/// calls that the op does not have.
func::FuncOp ExpandHeads::outline(const AttentionLike &op, ValueRange others,
                                  SymbolTable &symbols) {
  Location loc = op.op->getLoc();
  OpBuilder builder(&getContext());
  auto worker = func::FuncOp::create(
      loc, op.gradients ? "lot_attention_vjp" : "lot_attention",
      builder.getFunctionType(
          HeadWorker::getArgumentTypes(op, parallel, others.getTypes()), {}));
  worker.setPrivate();
  symbols.insert(worker);
  Block *entry = worker.addEntryBlock();
  ImplicitLocOpBuilder b(loc, builder);
  b.setInsertionPointToStart(entry);
  func::ReturnOp::create(b);
  b.setInsertionPointToStart(entry);
  if (op.gradients)
    emitGradientWorker(op, b, entry->getArguments(), parallel);
  else
    emitAttentionWorker(op, b, entry->getArguments(), parallel);
  return worker;
}

/// The number of OpenMP threads, at least 1.
Value ExpandHeads::emitThreads(ImplicitLocOpBuilder &b) {
  constexpr StringLiteral kThreads = "omp_get_max_threads";
  Value one = arith::ConstantIndexOp::create(b, 1);
  if (!parallel)
    return one;
  ModuleOp module = getOperation();
  if (!module.lookupSymbol(kThreads)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    func::FuncOp::create(b, kThreads, b.getFunctionType({}, b.getI32Type()))
        .setPrivate();
  }
  Value threads =
      func::CallOp::create(b, kThreads, TypeRange{b.getI32Type()}).getResult(0);
  threads = arith::IndexCastOp::create(b, b.getIndexType(), threads);
  return arith::MaxSIOp::create(b, threads, one);
}

/// One block for all workers. Allocated here, where a failure can be reported:
/// an assertion could not leave a parallel loop.
static Value emitAllocation(ImplicitLocOpBuilder &b, const AttentionLike &op,
                            Value longest, Value workers, Value bytes) {
  cf::AssertOp::create(b, emitFits(b, op, longest, workers),
                       "lot.attention: expected a workspace of less than 2^46 "
                       "bytes, got more; it has r values for each token of the "
                       "longer side and each thread; a schedule with factor = "
                       "recomputed has 2");
  Value size = arith::MulIOp::create(b, bytes, workers);
  Value block = memref::AllocOp::create(
      b, MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), size,
      b.getI64IntegerAttr(64));
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, block);
  Value allocated = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, address,
                                          arith::ConstantIndexOp::create(b, 0));
  cf::AssertOp::create(
      b, allocated,
      "lot.attention: cannot allocate the workspace: r values for each token "
      "of the longer side and each thread; use fewer threads, or a schedule "
      "with factor = recomputed");
  return block;
}

/// Spreads the items over workers, one a thread. What does not divide by the
/// threads goes head by head, all threads sharing its passes, where that is
/// quicker: `rest` heads one after the other take rest * ceil(chunks / threads)
/// chunks of time, side by side all the chunks of one.
void ExpandHeads::emitCalls(ImplicitLocOpBuilder &b, const AttentionLike &op,
                            ValueRange others, func::FuncOp worker) {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  int64_t headDim = cast<MemRefType>(op.pivots.getType()).getRank() - 3;
  Value items =
      arith::MulIOp::create(b, memref::DimOp::create(b, op.query, 0),
                            memref::DimOp::create(b, op.pivots, headDim));
  Value longest = emitLongest(b, op.query, op.key);
  Value threads = emitThreads(b), spread = items, workers = one, team = one;
  if (parallel) {
    Value chunks = emitChunks(b, longest, op.tile()).count;
    Value rest = arith::RemUIOp::create(b, items, threads);
    Value shared = arith::MulIOp::create(
        b, rest, arith::CeilDivUIOp::create(b, chunks, threads));
    Value quicker =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, shared, chunks);
    spread = arith::SelectOp::create(
        b, quicker, arith::SubIOp::create(b, items, rest), items);
    team = arith::SelectOp::create(b, quicker, threads, one);
    workers = arith::MaxUIOp::create(
        b, arith::MinUIOp::create(b, threads, spread), one);
  }
  Value bytes = emitWorkspaceBytes(b, op, longest);
  Value block = emitAllocation(b, op, longest, workers, bytes);

  auto call = [&](OpBuilder &b, Location loc, ValueRange items, Value base,
                  Value threads) {
    SmallVector<Value> args(items);
    args.append({base, block});
    if (parallel)
      args.push_back(threads);
    llvm::append_range(args, op.op->getOperands());
    llvm::append_range(args, others);
    func::CallOp::create(b, loc, worker, args);
  };
  Value left = zero;
  if (parallel) {
    // One worker needs no parallel region.
    Value several =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, workers, one);
    left = arith::SelectOp::create(b, several, spread, zero);
    auto choice = scf::IfOp::create(b, several, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(choice.thenBlock()->getTerminator());
    scf::ParallelOp::create(
        b, zero, workers, one,
        [&](OpBuilder &nested, Location loc, ValueRange ivs) {
          Value base = arith::MulIOp::create(nested, loc, ivs[0], bytes);
          call(nested, loc, {ivs[0], spread, workers}, base, one);
        });
  }
  call(b, op.op->getLoc(), {left, items, one}, zero, team);
  memref::DeallocOp::create(b, block);
}

template <typename OpTy>
LogicalResult ExpandHeads::expand(OpTy op, SymbolTable &symbols) {
  if (!op.hasPureBufferSemantics())
    return op.emitOpError("cannot be expanded on tensors: bufferize first "
                          "(pipeline lot-to-cpu)");
  if (!isa_and_nonnull<CPUScheduleAttr>(op.getScheduleAttr()))
    return op.emitOpError("expected a #lot.cpu_schedule; run "
                          "lot-select-schedule (pipeline lot-to-cpu)");
  AttentionLike attention(op);
  OpBuilder builder(op);
  ImplicitLocOpBuilder b(op.getLoc(), builder);
  std::optional<GradientBuffers> gradients;
  if (attention.gradients)
    gradients.emplace(attention, b);
  SmallVector<Value> others;
  if (gradients)
    llvm::append_range(others, gradients->getTargets());
  emitCalls(b, attention, others, outline(attention, others, symbols));
  if (gradients)
    gradients->emitSums(b);
  op.erase();
  return success();
}

void ExpandHeads::runOnOperation() {
  SymbolTable symbols(getOperation());
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) {
    if (isa<AttentionOp, AttentionVjpOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    LogicalResult expanded =
        TypeSwitch<Operation *, LogicalResult>(op)
            .Case<AttentionOp, AttentionVjpOp>(
                [&](auto op) { return expand(op, symbols); });
    if (failed(expanded))
      return signalPassFailure();
  }
}
