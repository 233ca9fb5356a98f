//===- ExpandHeads.cpp - lot.attention on buffers to passes over tokens ---===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SolveSide.h"
#include "Workspace.h"
#include "lot/Conversion/Chunks.h"
#include "lot/Conversion/HeadConventions.h"
#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

namespace mlir::lot {
#define GEN_PASS_DEF_LOTEXPANDHEADS
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
/// Writes the body of the outlined function of one lot.attention: some of its
/// heads, one after the other on one workspace. The arguments of the function:
///
///     first, end, step   the items (pivot heads) it does
///     base, block        where its workspace starts, and in what
///     threads            how many share each pass; only where there are any
///     the operands of the op
class WorkerEmitter {
public:
  WorkerEmitter(AttentionOp op, ImplicitLocOpBuilder &builder, ValueRange args,
                bool parallel);
  void emit();

  static SmallVector<Type> getArgumentTypes(AttentionOp op, bool parallel);

private:
  // Shapes and strides.
  Value dim(Value memref, int64_t i) {
    return memref::DimOp::create(b, memref, i);
  }
  Value slice(Value memref, ValueRange leading);
  Value divide(Value x, Value y);
  Value tokenSlice(Value mass, Value batch, Value head);
  Value pivotSlice(Value mass, Value batch, Value head);

  void makeWorkspace();
  void clearPadding();
  void packPivots(Value pivots, Value logMass);
  Value packGlueMass(Value logMass);
  SideTokens makeSide(Value tokens, Value logMass);
  void emitKeySide(Value batch, Value keyHead, Value pivotHead);
  void emitQuerySide(Value batch, Value queryHead);

  AttentionOp op;
  PivotMath b;
  CPUScheduleAttr schedule;
  FloatAttr clamp; ///< in base 2, as the scores are
  Value first, end, step, base, block, threads;
  Value query, key, value, pivots, out;
  Value queryMass, keyMass, pivotMass, glueMass;

  Workspace workspace;
  PackedPivots packed;
};
} // namespace

SmallVector<Type> WorkerEmitter::getArgumentTypes(AttentionOp op,
                                                  bool parallel) {
  Builder b(op.getContext());
  SmallVector<Type> types(4, b.getIndexType());
  types.push_back(MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
  if (parallel)
    types.push_back(b.getIndexType());
  llvm::append_range(types, op->getOperandTypes());
  return types;
}

WorkerEmitter::WorkerEmitter(AttentionOp op, ImplicitLocOpBuilder &builder,
                             ValueRange args, bool parallel)
    : op(op), b(builder, op.getStateType(), op.getNumPivots()),
      schedule(cast<CPUScheduleAttr>(op.getScheduleAttr())), first(args[0]),
      end(args[1]), step(args[2]), base(args[3]), block(args[4]) {
  args = args.drop_front(5);
  if (parallel) {
    threads = args.front();
    args = args.drop_front();
  }
  auto operand = [&](Value v) -> Value {
    if (!v)
      return nullptr;
    for (auto [from, to] : llvm::zip(op->getOperands(), args))
      if (from == v)
        return to;
    return nullptr;
  };
  query = operand(op.getQuery());
  key = operand(op.getKey());
  value = operand(op.getValue());
  pivots = operand(op.getPivots());
  out = operand(op.getInit());
  queryMass = operand(op.getQueryLogMass());
  keyMass = operand(op.getKeyLogMass());
  pivotMass = operand(op.getPivotLogMass());
  glueMass = operand(op.getGlueLogMass());
  if (op.getScoreClamp()) {
    double c = op.getScoreClamp()->convertToDouble() /
               op.getEpsilon().convertToDouble() / llvm::numbers::ln2;
    clamp = b.getF64FloatAttr(c);
  }
}

/// The trailing dims of `memref` at `leading`, by a rank-reducing subview.
Value WorkerEmitter::slice(Value memref, ValueRange leading) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      strides(type.getRank(), b.getIndexAttr(1)), sizes;
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (i < static_cast<int64_t>(leading.size())) {
      offsets[i] = leading[i];
      sizes.push_back(b.getIndexAttr(1));
      continue;
    }
    shape.push_back(type.getDimSize(i));
    if (type.isDynamicDim(i))
      sizes.push_back(dim(memref, i));
    else
      sizes.push_back(b.getIndexAttr(type.getDimSize(i)));
  }
  auto reduced = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides));
  return memref::SubViewOp::create(b, reduced, memref, offsets, sizes, strides);
}

/// x / y for counts; y = 0 only where there is nothing to do.
Value WorkerEmitter::divide(Value x, Value y) {
  return arith::DivUIOp::create(b, x, arith::MaxUIOp::create(b, y, b.index(1)));
}

Value WorkerEmitter::tokenSlice(Value mass, Value batch, Value head) {
  if (!mass)
    return nullptr;
  bool perHead = cast<MemRefType>(mass.getType()).getRank() == 3;
  return perHead ? slice(mass, {batch, head}) : slice(mass, {batch});
}
Value WorkerEmitter::pivotSlice(Value mass, Value batch, Value head) {
  if (!mass)
    return nullptr;
  bool perBatch = cast<MemRefType>(mass.getType()).getRank() == 3;
  return perBatch ? slice(mass, {batch, head}) : slice(mass, {head});
}

void WorkerEmitter::makeWorkspace() {
  workspace = emitWorkspace(b, op, emitLongest(b, query, key), block, base);
  packed.scores = workspace.pivots;
  packed.log2Mass = b.buffer();
  packed.mass = b.buffer();
  packed.present = b.buffer();
  packed.bias = b.buffer();
  clearPadding();
}

/// Columns of the packed pivots that fill the last vector: nothing uses their
/// scores, but they are read. No head changes them.
void WorkerEmitter::clearPadding() {
  int64_t r = op.getNumPivots();
  int64_t columns = cast<MemRefType>(packed.scores.getType()).getDimSize(1);
  if (columns == r)
    return;
  OpBuilder::InsertionGuard guard(b);
  auto rows =
      scf::ForOp::create(b, b.index(0), b.index(op.getHeadDim()), b.index(1));
  b.setInsertionPointToStart(rows.getBody());
  auto padding =
      scf::ForOp::create(b, b.index(r), b.index(columns), b.index(1));
  b.setInsertionPointToStart(padding.getBody());
  memref::StoreOp::create(
      b, b.scalar(0.0), packed.scores,
      ValueRange{rows.getInductionVar(), padding.getInductionVar()});
}

/// pivots^T * scale / epsilon * log2(e); absent pivots are selected to 0.
void WorkerEmitter::packPivots(Value z, Value logMass) {
  double toBase2 = 1.0 / llvm::numbers::ln2;
  double factor =
      op.getScaleOrDefault() / op.getEpsilon().convertToDouble() * toBase2;
  Value zero = b.scalar(0.0), absent = b.scalar(kAbsent);
  b.forPivots([&](Value j) {
    Value present, lw = b.scalar(-std::log2(double(op.getNumPivots())));
    if (logMass) {
      lw = b.load(logMass, j);
      present =
          b.greater(lw, b.scalar(-std::numeric_limits<double>::infinity()));
      lw = b.mul(lw, b.scalar(toBase2));
    }
    auto choose = [&](Value x, Value y) {
      return present ? b.select(present, x, y) : x;
    };
    b.store(choose(lw, absent), packed.log2Mass, j);
    b.store(
        choose(logMass ? b.exp2(lw) : b.scalar(1.0 / double(op.getNumPivots())),
               zero),
        packed.mass, j);
    b.store(choose(b.scalar(1.0), zero), packed.present, j);
    b.store(choose(zero, absent), packed.bias, j);
    auto loop =
        scf::ForOp::create(b, b.index(0), b.index(op.getHeadDim()), b.index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    Value x = memref::LoadOp::create(b, z, ValueRange{j, k});
    if (x.getType() != b.getStateType())
      x = arith::ExtFOp::create(b, b.getStateType(), x);
    x = choose(b.mul(x, b.scalar(factor)), zero);
    memref::StoreOp::create(b, x, packed.scores, ValueRange{k, j});
  });
}

/// The glue's log mass in base 2, or null.
Value WorkerEmitter::packGlueMass(Value logMass) {
  if (!logMass)
    return nullptr;
  Value result = b.buffer();
  b.forPivots([&](Value j) {
    Value lg = b.mul(b.load(logMass, j), b.scalar(1.0 / llvm::numbers::ln2));
    Value absent = b.scalar(kAbsent);
    b.store(b.select(b.greater(lg, absent), lg, absent), result, j);
  });
  return result;
}

SideTokens WorkerEmitter::makeSide(Value tokens, Value logMass) {
  const Workspace &w = workspace;
  HeadMassOp::create(b, logMass, dim(tokens, 0), w.log2Mass, w.mass, schedule);
  return {tokens,     w.log2Mass, w.mass,        w.factor,
          w.partials, threads,    bool(logMass), bool(pivotMass)};
}

void WorkerEmitter::emitKeySide(Value batch, Value keyHead, Value pivotHead) {
  Value glue = packGlueMass(pivotSlice(glueMass, batch, pivotHead));
  SideTokens side = makeSide(slice(key, {batch, keyHead}),
                             tokenSlice(keyMass, batch, keyHead));
  SolvedSide plan = emitSolveSide(b, packed, side, glue, Marginal::pivots,
                                  op.getHalfSteps(), clamp, schedule);
  HeadGatherOp::create(b, side.tokens, slice(value, {batch, keyHead}),
                       packed.scores, side.log2Mass, side.mass, side.factor,
                       plan.scaled, plan.prev, plan.post, plan.logPrev,
                       plan.logShift, workspace.gathered, clamp,
                       /*token_step=*/op.getHalfSteps() > 1,
                       op.getNormalization() == Normalization::row_sum,
                       side.maskedTokens, side.partials, threads, schedule);
}

void WorkerEmitter::emitQuerySide(Value batch, Value queryHead) {
  SideTokens side = makeSide(slice(query, {batch, queryHead}),
                             tokenSlice(queryMass, batch, queryHead));
  SolvedSide plan =
      emitSolveSide(b, packed, side, /*glueLog2Mass=*/nullptr, Marginal::tokens,
                    op.getHalfSteps(), clamp, schedule);
  HeadApplyOp::create(b, side.tokens, workspace.gathered, packed.scores,
                      side.log2Mass, side.mass, side.factor, plan.scaled,
                      plan.prev, plan.post, plan.logPrev, plan.logShift,
                      slice(out, {batch, queryHead}), op.getNormalization(),
                      op.getRowFloor(), op.getOutScale(), clamp,
                      side.maskedTokens, threads, schedule);
}

void WorkerEmitter::emit() {
  makeWorkspace();
  auto pivotType = cast<MemRefType>(pivots.getType());
  Value queryHeads = dim(query, 1), keyHeads = dim(key, 1),
        heads = dim(pivots, pivotType.getRank() - 3);
  Value group = divide(queryHeads, heads), share = divide(heads, keyHeads);

  // An item is one pivot head: its key side once, then its group of queries.
  auto loop = scf::ForOp::create(b, first, end, step);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value item = loop.getInductionVar();
    Value batch = divide(item, heads);
    Value head =
        arith::SubIOp::create(b, item, arith::MulIOp::create(b, batch, heads));
    Value keyHead = divide(head, share);
    bool perBatch = pivotType.getRank() == 4;
    packPivots(perBatch ? slice(pivots, {batch, head}) : slice(pivots, {head}),
               pivotSlice(pivotMass, batch, head));
    emitKeySide(batch, keyHead, head);
    auto members = scf::ForOp::create(b, b.index(0), group, b.index(1));
    b.setInsertionPointToStart(members.getBody());
    Value queryHead = arith::AddIOp::create(
        b, arith::MulIOp::create(b, head, group), members.getInductionVar());
    emitQuerySide(batch, queryHead);
  }
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct ExpandHeads : public lot::impl::LotExpandHeadsBase<ExpandHeads> {
  using LotExpandHeadsBase::LotExpandHeadsBase;

  void runOnOperation() override;

private:
  LogicalResult expand(AttentionOp op, SymbolTable &symbols);
  func::FuncOp outline(AttentionOp op, SymbolTable &symbols);
  Value emitThreads(ImplicitLocOpBuilder &b);
  void emitCalls(ImplicitLocOpBuilder &b, AttentionOp op, func::FuncOp worker);
};
} // namespace

/// The function that does some heads of `op`.
func::FuncOp ExpandHeads::outline(AttentionOp op, SymbolTable &symbols) {
  OpBuilder builder(op.getContext());
  auto worker = func::FuncOp::create(
      op.getLoc(), "lot_attention",
      builder.getFunctionType(WorkerEmitter::getArgumentTypes(op, parallel),
                              {}));
  worker.setPrivate();
  symbols.insert(worker);
  Block *entry = worker.addEntryBlock();
  ImplicitLocOpBuilder b(op.getLoc(), builder);
  b.setInsertionPointToStart(entry);
  func::ReturnOp::create(b);
  b.setInsertionPointToStart(entry);
  WorkerEmitter(op, b, entry->getArguments(), parallel).emit();
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
static Value emitAllocation(ImplicitLocOpBuilder &b, AttentionOp op,
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
void ExpandHeads::emitCalls(ImplicitLocOpBuilder &b, AttentionOp op,
                            func::FuncOp worker) {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  int64_t headDim = cast<MemRefType>(op.getPivots().getType()).getRank() - 3;
  Value items =
      arith::MulIOp::create(b, memref::DimOp::create(b, op.getQuery(), 0),
                            memref::DimOp::create(b, op.getPivots(), headDim));
  Value longest = emitLongest(b, op.getQuery(), op.getKey());
  Value threads = emitThreads(b), spread = items, workers = one, team = one;
  if (parallel) {
    auto schedule = cast<CPUScheduleAttr>(op.getScheduleAttr());
    Value chunks = emitChunks(b, longest, schedule.getTokenTile()).count;
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
    llvm::append_range(args, op->getOperands());
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
  call(b, op.getLoc(), {left, items, one}, zero, team);
  memref::DeallocOp::create(b, block);
}

LogicalResult ExpandHeads::expand(AttentionOp op, SymbolTable &symbols) {
  if (!op.hasPureBufferSemantics())
    return op.emitOpError("cannot be expanded on tensors: bufferize first "
                          "(pipeline lot-to-cpu)");
  if (!isa_and_nonnull<CPUScheduleAttr>(op.getScheduleAttr()))
    return op.emitOpError("expected a #lot.cpu_schedule; run "
                          "lot-select-schedule (pipeline lot-to-cpu)");
  func::FuncOp worker = outline(op, symbols);
  OpBuilder builder(op);
  ImplicitLocOpBuilder b(op.getLoc(), builder);
  emitCalls(b, op, worker);
  op.erase();
  return success();
}

void ExpandHeads::runOnOperation() {
  SymbolTable symbols(getOperation());
  SmallVector<AttentionOp> ops;
  getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
  for (AttentionOp op : ops)
    if (failed(expand(op, symbols)))
      return signalPassFailure();
}
