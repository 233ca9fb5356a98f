//===- GradientWorker.cpp - The heads of lot.attention_vjp ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// For each pivot head: the key side and G = R2 V; for each query head of its
// group the query side, E = R1 o (dU G^T), dG += R1^T dU and the half-steps
// backwards; then the key side's E = R2 o (V dG^T), dV = R2^T dG and
// half-steps. Row sums (normalization = row_sum) are a column of ones beside
// the values.
//
//===----------------------------------------------------------------------===//

#include "HeadWorker.h"
#include "ReverseSide.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
class GradientWorker : public HeadWorker {
public:
  GradientWorker(const AttentionLike &op, ImplicitLocOpBuilder &b,
                 ValueRange args, bool parallel)
      : HeadWorker(op, b, args, parallel) {
    ArrayRef<Value> rest = others;
    auto take = [&](Value &target, Value operand) {
      if (!operand)
        return;
      target = rest.front();
      rest = rest.drop_front();
    };
    take(dQuery, op.query);
    take(dKey, op.key);
    take(dValue, op.value);
    take(dPivots, op.pivots);
    take(dQueryMass, op.queryMass);
    take(dKeyMass, op.keyMass);
    take(dPivotMass, op.pivotMass);
    take(dGlueMass, op.glueMass);
    pivotMassGradient = this->b.buffer();
  }

private:
  /// A side and its plan.
  struct Solved {
    SideTokens side;
    SideTrace trace;
    SolvedSide plan;
    Marginal first;
    bool isKeySide() const { return first == Marginal::pivots; }
  };

  void emitItem(const Item &item) override;
  void emitQueryHead(const Item &item, Value head);
  void emitKeyGradients(const Item &item, const Solved &keys, Value values);

  Solved solve(Value tokens, Value logMass, const SideBuffers &buffers,
               Value glue, Marginal first);
  /// The value rows, with ones beside them for row sums.
  Value emitValueRows(const Solved &keys, Value values);
  /// The rows that stand for the cotangents of R1 G.
  Value emitCotangentRows(const Solved &queries, Value cotangent);
  void gather(const Solved &solved, Value rows, Value gathered);
  void apply(const Solved &solved, Value gathered, Value out);
  /// E of a side and its sums, [r].
  void adjoint(const Solved &solved, Value rows, Value sums);
  /// The half-steps backwards, then the gradients of tokens and their masses.
  void reverse(const Solved &solved, Value sums, Value tokenGradient,
               Value massGradient);

  // r-sized steps.
  bool hasUnitNumerator(const Solved &solved) const {
    return !solved.isKeySide() && op.normalization != Normalization::none;
  }
  void forColumns(int64_t columns, function_ref<void(Value column)> body);
  Value position(Value column, int64_t columns);
  Value columnAt(Value position, int64_t columns);
  void layOut(Value matrix, int64_t columns,
              function_ref<Value(Value j, Value column)> entry);
  void setAll(Value matrix, double value);
  void addTo(Value matrix, Value total);
  void packColumns(Value gathered, double factor);
  void packPivotRows();
  void storeRow(Value value, Value memory, ValueRange indices);
  void storePivotGradient(Value target);
  void storeMassGradient(Value gradient, Value target);

  Value sliceOrNull(Value target, Value batch, Value head) {
    return target ? slice(target, {batch, head}) : Value();
  }

  /// Where gradients go, [batch, heads, rest...]; null for absent masses.
  Value dQuery, dKey, dValue, dPivots, dQueryMass, dKeyMass, dPivotMass,
      dGlueMass;
  Value pivotMassGradient; ///< [r]
};
} // namespace

//===----------------------------------------------------------------------===//
// r-sized steps
//===----------------------------------------------------------------------===//

void GradientWorker::forColumns(int64_t columns,
                                function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, b.index(0), b.index(columns), b.index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

/// Where column `column` of `columns` lies in gathered values: the last vector
/// holds the last `lanes` columns.
Value GradientWorker::position(Value column, int64_t columns) {
  int64_t lanes = op.lanes(), padding = llvm::alignTo(columns, lanes) - columns;
  if (padding == 0 || columns < lanes)
    return column;
  Value last = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, column,
                                     b.index(columns + padding - lanes));
  Value moved = arith::AddIOp::create(b, column, b.index(padding));
  return b.select(last, moved, column);
}

void GradientWorker::setAll(Value matrix, double value) {
  Value x = b.scalar(value);
  b.forPivots([&](Value j) {
    forColumns(cast<MemRefType>(matrix.getType()).getDimSize(1), [&](Value c) {
      memref::StoreOp::create(b, x, matrix, ValueRange{j, c});
    });
  });
}

void GradientWorker::addTo(Value matrix, Value total) {
  b.forPivots([&](Value j) {
    forColumns(cast<MemRefType>(matrix.getType()).getDimSize(1), [&](Value c) {
      SmallVector<Value, 2> at{j, c};
      Value sum = b.add(memref::LoadOp::create(b, total, at),
                        memref::LoadOp::create(b, matrix, at));
      memref::StoreOp::create(b, sum, total, at);
    });
  });
}

/// workspace.columns[c][j] = factor * gathered[j][c].
void GradientWorker::packColumns(Value gathered, double factor) {
  int64_t columns = op.valueColumns();
  forColumns(columns, [&](Value c) {
    Value from = position(c, columns);
    b.forPivots([&](Value j) {
      Value x = memref::LoadOp::create(b, gathered, ValueRange{j, from});
      if (factor != 1.0)
        x = b.mul(x, b.scalar(factor));
      memref::StoreOp::create(b, x, workspace.columns, ValueRange{c, j});
    });
    for (int64_t j = op.r; j < op.packedPivots(); ++j)
      memref::StoreOp::create(b, b.scalar(0.0), workspace.columns,
                              ValueRange{c, b.index(j)});
  });
}

/// The column that lies at `position` of gathered values.
Value GradientWorker::columnAt(Value position, int64_t columns) {
  int64_t lanes = op.lanes(), padding = llvm::alignTo(columns, lanes) - columns;
  if (padding == 0 || columns < lanes)
    return position;
  Value last = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, position,
                                     b.index(columns + padding - lanes));
  Value moved = arith::SubIOp::create(b, position, b.index(padding));
  return b.select(last, moved, position);
}

/// matrix[j][p] = entry(j, column at p), for all places p of `columns` columns.
void GradientWorker::layOut(Value matrix, int64_t columns,
                            function_ref<Value(Value j, Value column)> entry) {
  int64_t places =
      columns < op.lanes() ? columns : llvm::alignTo(columns, op.lanes());
  if (columns < op.lanes())
    setAll(matrix, 0.0);
  b.forPivots([&](Value j) {
    forColumns(places, [&](Value p) {
      memref::StoreOp::create(b, entry(j, columnAt(p, columns)), matrix,
                              ValueRange{j, p});
    });
  });
}

/// scale / epsilon * Z.
void GradientWorker::packPivotRows() {
  layOut(workspace.pivotRows, op.d, [&](Value j, Value c) {
    Value x = memref::LoadOp::create(b, packed.scores, ValueRange{c, j});
    return b.mul(x, b.scalar(llvm::numbers::ln2));
  });
}

/// Stores a state value in memory of any float type.
void GradientWorker::storeRow(Value value, Value memory, ValueRange indices) {
  Type type = cast<MemRefType>(memory.getType()).getElementType();
  if (type != op.state)
    value = arith::TruncFOp::create(b, type, value);
  memref::StoreOp::create(b, value, memory, indices);
}

void GradientWorker::storePivotGradient(Value target) {
  b.forPivots([&](Value j) {
    Value present = b.greater(b.load(packed.present, j), b.scalar(0.0));
    forColumns(op.d, [&](Value c) {
      Value x = memref::LoadOp::create(b, workspace.pivotGradient,
                                       ValueRange{j, position(c, op.d)});
      x = b.mul(x, b.scalar(op.scale / op.epsilon));
      storeRow(b.select(present, x, b.scalar(0.0)), target, {j, c});
    });
  });
}

void GradientWorker::storeMassGradient(Value gradient, Value target) {
  if (!target)
    return;
  b.forPivots([&](Value j) {
    Value present = b.greater(b.load(packed.present, j), b.scalar(0.0));
    storeRow(b.select(present, b.load(gradient, j), b.scalar(0.0)), target, j);
  });
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

GradientWorker::Solved GradientWorker::solve(Value tokens, Value logMass,
                                             const SideBuffers &buffers,
                                             Value glue, Marginal first) {
  Solved solved;
  solved.first = first;
  solved.side = makeSide(tokens, logMass, buffers);
  solved.trace = {buffers.prev,
                  buffers.sums,
                  buffers.logPrev,
                  buffers.logShift,
                  solved.isKeySide() ? workspace.tops : Value(),
                  Value()};
  solved.plan = emitSolveSide(b, packed, solved.side, glue, first, op.halfSteps,
                              op.clamp, op.schedule, solved.trace);
  return solved;
}

static bool hasTokenStep(Marginal first, int64_t halfSteps) {
  return first == Marginal::tokens || halfSteps > 1;
}

Value GradientWorker::emitValueRows(const Solved &keys, Value values) {
  if (!op.isRowSum())
    return values;
  HeadAppendOnesOp::create(b, values, workspace.rows, op.schedule);
  return workspace.rows;
}

Value GradientWorker::emitCotangentRows(const Solved &queries,
                                        Value cotangent) {
  if (!op.isRowSum())
    return cotangent;
  apply(queries, workspace.gathered, workspace.rows);
  HeadRowCotangentOp::create(b, cotangent, queries.side.log2Mass,
                             queries.side.mass, workspace.rows,
                             workspace.floorGradient, APFloat(op.rowFloor),
                             APFloat(op.outScale), op.schedule);
  return workspace.rows;
}

void GradientWorker::gather(const Solved &s, Value rows, Value gathered) {
  HeadGatherOp::create(
      b, s.side.tokens, rows, packed.scores, s.side.log2Mass, s.side.mass,
      s.side.factor, s.plan.scaled, s.plan.prev, s.plan.post, s.plan.logPrev,
      s.plan.logShift, gathered, op.clamp, hasTokenStep(s.first, op.halfSteps),
      /*row_sum=*/false, hasUnitNumerator(s), s.side.maskedTokens,
      s.side.partials, threads, op.schedule);
}

void GradientWorker::apply(const Solved &s, Value gathered, Value out) {
  HeadApplyOp::create(
      b, s.side.tokens, gathered, packed.scores, s.side.log2Mass, s.side.mass,
      s.side.factor, s.plan.scaled, s.plan.prev, s.plan.post, s.plan.logPrev,
      s.plan.logShift, out, Normalization::query_mass, APFloat(0.0),
      APFloat(1.0), op.clamp, hasTokenStep(s.first, op.halfSteps),
      /*mass_numerator=*/s.isKeySide(), s.side.maskedTokens, threads,
      op.schedule);
}

void GradientWorker::adjoint(const Solved &s, Value rows, Value sums) {
  HeadAdjointOp::create(
      b, s.side.tokens, rows, packed.scores, s.side.log2Mass, s.side.mass,
      s.side.factor, s.plan.scaled, s.plan.prev, s.plan.post, s.plan.logPrev,
      s.plan.logShift, workspace.columns, workspace.adjoint,
      workspace.tokenSums, sums, op.clamp, hasTokenStep(s.first, op.halfSteps),
      hasUnitNumerator(s), s.side.maskedTokens, s.side.partials, threads,
      op.schedule);
}

void GradientWorker::reverse(const Solved &s, Value sums, Value tokenGradient,
                             Value massGradient) {
  emitReverseSide(b, op, workspace, packed,
                  {s.side, s.plan, s.trace, s.first, sums, pivotMassGradient});
  HeadScoreGradientOp::create(
      b, s.side.tokens, packed.scores, workspace.pivotRows, s.side.factor,
      s.trace.safe, workspace.steps, workspace.pivotSteps, s.side.log2Mass,
      workspace.adjoint, tokenGradient, workspace.pivotGradient, op.clamp,
      s.side.maskedTokens, s.side.partials, threads, op.schedule);
  if (!massGradient)
    return;
  // One half-step of the pivots does not read the keys' masses.
  bool none = !hasTokenStep(s.first, op.halfSteps);
  Value floor = s.isKeySide() ? Value() : workspace.floorGradient;
  HeadMassGradientOp::create(b, workspace.tokenGradient, workspace.tokenSums,
                             s.side.log2Mass, massGradient, floor,
                             /*conditional=*/hasUnitNumerator(s), none,
                             op.schedule);
}

//===----------------------------------------------------------------------===//
// The heads
//===----------------------------------------------------------------------===//

void GradientWorker::emitQueryHead(const Item &item, Value head) {
  Value logMass = tokenSlice(op.queryMass, item.batch, head);
  Solved queries = solve(slice(op.query, {item.batch, head}), logMass,
                         workspace.query, Value(), Marginal::tokens);
  Value rows =
      emitCotangentRows(queries, slice(op.cotangent, {item.batch, head}));
  Value sums = b.buffer();
  adjoint(queries, rows, sums);
  gather(queries, rows, workspace.gatheredAdjoint);
  addTo(workspace.gatheredAdjoint, workspace.gatheredTotal);
  reverse(queries, sums, sliceOrNull(dQuery, item.batch, head),
          sliceOrNull(dQueryMass, item.batch, head));
}

void GradientWorker::emitKeyGradients(const Item &item, const Solved &keys,
                                      Value values) {
  Value batch = item.batch, head = item.pivotHead;
  packColumns(workspace.gatheredTotal, 1.0);
  Value rows = emitValueRows(keys, values);
  Value sums = b.buffer(), glueGradient = b.buffer();
  adjoint(keys, rows, sums);
  Value total = workspace.gatheredTotal;
  if (op.isRowSum()) {
    // Without the column of ones.
    layOut(workspace.valueTotal, op.dv, [&](Value j, Value c) -> Value {
      return memref::LoadOp::create(
          b, total, ValueRange{j, position(c, op.valueColumns())});
    });
    total = workspace.valueTotal;
  }
  apply(keys, total, sliceOrNull(dValue, batch, head));
  b.forPivots([&](Value j) {
    b.store(b.sub(b.scalar(0.0), b.load(sums, j)), glueGradient, j);
  });
  reverse(keys, sums, sliceOrNull(dKey, batch, head),
          sliceOrNull(dKeyMass, batch, head));

  if (op.glueMass)
    storeMassGradient(glueGradient, sliceOrNull(dGlueMass, batch, head));
  else
    b.forPivots([&](Value j) {
      Value sum = b.add(b.load(pivotMassGradient, j), b.load(glueGradient, j));
      b.store(sum, pivotMassGradient, j);
    });
  storeMassGradient(pivotMassGradient, sliceOrNull(dPivotMass, batch, head));
  storePivotGradient(sliceOrNull(dPivots, batch, head));
}

void GradientWorker::emitItem(const Item &item) {
  Value glue =
      packGlueMass(pivotSlice(op.glueMass, item.batch, item.pivotHead));
  Solved keys = solve(slice(op.key, {item.batch, item.keyHead}),
                      tokenSlice(op.keyMass, item.batch, item.keyHead),
                      workspace.key, glue, Marginal::pivots);
  Value values = slice(op.value, {item.batch, item.keyHead});
  gather(keys, emitValueRows(keys, values), workspace.gathered);
  packColumns(workspace.gathered, op.outScale);
  packPivotRows();
  setAll(workspace.gatheredTotal, 0.0);
  setAll(workspace.pivotGradient, 0.0);
  b.forPivots([&](Value j) { b.store(b.scalar(0.0), pivotMassGradient, j); });
  forQueryHeads(item, [&](Value head) { emitQueryHead(item, head); });
  if (op.outScale != 1.0)
    b.forPivots([&](Value j) {
      forColumns(op.gatheredColumns(), [&](Value c) {
        SmallVector<Value, 2> at{j, c};
        Value x = memref::LoadOp::create(b, workspace.gatheredTotal, at);
        memref::StoreOp::create(b, b.mul(x, b.scalar(op.outScale)),
                                workspace.gatheredTotal, at);
      });
    });
  emitKeyGradients(item, keys, values);
}

void lot::emitGradientWorker(const AttentionLike &op, ImplicitLocOpBuilder &b,
                             ValueRange args, bool parallel) {
  GradientWorker(op, b, args, parallel).emit();
}
