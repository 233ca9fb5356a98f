//===- Workspace.cpp - The memory of the workers --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Workspace.h"
#include "lot/Conversion/Chunks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::lot;

/// Every buffer starts at a multiple of this, as vectors want it.
static constexpr int64_t kAlignment = 64;

/// More than this no address space holds.
static constexpr int64_t kMaxBytes = int64_t(1) << 46;

static Value index(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

namespace {
/// One buffer: `rows` of a static shape.
struct Buffer {
  Value *view; ///< where it goes
  Value rows;  ///< null: one
  SmallVector<int64_t> shape;
  bool flat = false; ///< rows and the shape are one dim

  int64_t rowSize() const {
    return llvm::product_of(shape); // shapes are never empty
  }
};

/// The buffers of `workspace`, in their order in memory.
struct Layout {
  Workspace workspace;
  SmallVector<Buffer> buffers;
  Value tiles;
  FloatType type;
  int64_t width; ///< bytes of one value

  Value factorTiles; ///< 0 where the factor is recomputed

  Layout(ImplicitLocOpBuilder &b, const AttentionLike &op, Value longest);
  Layout(const Layout &) = delete; // buffers point into workspace

  /// Bytes of one buffer, rounded up to the alignment.
  Value emitBytes(ImplicitLocOpBuilder &b, const Buffer &buffer) const {
    int64_t row = buffer.rowSize() * width;
    if (!buffer.rows)
      return index(b, llvm::alignTo(row, kAlignment));
    Value bytes = arith::MulIOp::create(b, buffer.rows, index(b, row));
    if (row % kAlignment == 0)
      return bytes;
    Value up = arith::AddIOp::create(b, bytes, index(b, kAlignment - 1));
    return arith::AndIOp::create(b, up, index(b, -kAlignment));
  }

private:
  void addSide(SideBuffers &side, const AttentionLike &op);
  void addGradients(const AttentionLike &op);
  void addTokens(Value &view, const AttentionLike &op) {
    buffers.push_back({&view, tiles, {op.tile()}, /*flat=*/true});
  }
};
} // namespace

void Layout::addSide(SideBuffers &side, const AttentionLike &op) {
  buffers.push_back({&side.factor, factorTiles, {op.r, op.tile()}});
  addTokens(side.log2Mass, op);
  addTokens(side.mass, op);
  if (!op.gradients)
    return;
  // One shape for both sides: their passes then share code.
  for (Value *view : {&side.prev, &side.sums, &side.logPrev, &side.logShift})
    buffers.push_back(
        {view,
         nullptr,
         {getNumSweeps(Marginal::tokens, op.halfSteps) + 2, op.r}});
}

void Layout::addGradients(const AttentionLike &op) {
  Workspace &w = workspace;
  buffers.push_back({&w.adjoint, tiles, {op.r, op.tile()}});
  buffers.push_back({&w.steps, tiles, {op.halfSteps, op.tile()}});
  buffers.push_back({&w.pivotSteps, nullptr, {op.halfSteps, op.r}});
  for (Value *view : {&w.tokenSums, &w.tokenGradient, &w.tops})
    addTokens(*view, op);
  for (Value *view : {&w.gatheredAdjoint, &w.gatheredTotal})
    buffers.push_back({view, nullptr, {op.r, op.gatheredColumns()}});
  buffers.push_back(
      {&w.columns, nullptr, {op.valueColumns(), op.packedPivots()}});
  for (Value *view : {&w.pivotRows, &w.pivotGradient})
    buffers.push_back({view, nullptr, {op.r, op.pivotColumns()}});
  if (!op.isRowSum())
    return;
  buffers.push_back({&w.rows, tiles, {op.tile(), op.valueColumns()}});
  addTokens(w.floorGradient, op);
  int64_t columns = llvm::alignTo(op.dv, op.lanes());
  buffers.push_back({&w.valueTotal, nullptr, {op.r, columns}});
}

Layout::Layout(ImplicitLocOpBuilder &b, const AttentionLike &op, Value longest)
    : type(op.state), width(type.getWidth() / 8) {
  Chunks chunks = emitChunks(b, longest, op.tile());
  // A side without tokens has a tile, too: a sweep looks at its first one.
  tiles = arith::MaxUIOp::create(b, chunks.tiles, index(b, 1));
  bool stored = op.schedule.getFactor() == FactorStorage::stored;
  factorTiles = stored ? tiles : index(b, 0);
  addSide(workspace.key, op);
  if (op.gradients)
    addSide(workspace.query, op);
  buffers.push_back(
      {&workspace.gathered, nullptr, {op.r, op.gatheredColumns()}});
  buffers.push_back({&workspace.pivots, nullptr, {op.d, op.packedPivots()}});
  int64_t columns = op.gatheredColumns();
  if (op.gradients)
    columns = std::max(columns, op.pivotColumns());
  buffers.push_back({&workspace.partials,
                     chunks.count,
                     {getPartialsSize(op.r, columns, op.lanes())}});
  if (op.gradients)
    addGradients(op);
}

Value lot::emitLongest(ImplicitLocOpBuilder &b, Value query, Value key) {
  return arith::MaxUIOp::create(b, memref::DimOp::create(b, query, 2),
                                memref::DimOp::create(b, key, 2));
}

Value lot::emitWorkspaceBytes(ImplicitLocOpBuilder &b, const AttentionLike &op,
                              Value longest) {
  Layout layout(b, op, longest);
  Value total = index(b, 0);
  for (const Buffer &buffer : layout.buffers)
    total = arith::AddIOp::create(b, total, layout.emitBytes(b, buffer));
  return total;
}

Value lot::emitFits(ImplicitLocOpBuilder &b, const AttentionLike &op,
                    Value longest, Value workers) {
  // Every buffer has at most one row a tile, plus one row.
  Layout layout(b, op, longest);
  int64_t bytes = 0;
  for (const Buffer &buffer : layout.buffers)
    bytes += llvm::alignTo(buffer.rowSize() * layout.width, kAlignment);
  Value tiles = arith::AddIOp::create(b, layout.tiles, index(b, 1));
  Value limit = arith::DivUIOp::create(b, index(b, kMaxBytes / bytes), workers);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, tiles, limit);
}

Workspace lot::emitWorkspace(ImplicitLocOpBuilder &b, const AttentionLike &op,
                             Value longest, Value block, Value base) {
  Layout layout(b, op, longest);
  for (const Buffer &buffer : layout.buffers) {
    SmallVector<int64_t> shape(buffer.shape);
    SmallVector<Value> sizes;
    if (buffer.rows) {
      shape.insert(shape.begin(), ShapedType::kDynamic);
      sizes.push_back(buffer.rows);
    }
    Value view = memref::ViewOp::create(b, MemRefType::get(shape, layout.type),
                                        block, base, sizes);
    if (buffer.flat)
      view = memref::CollapseShapeOp::create(
          b, view, ArrayRef<ReassociationIndices>{{0, 1}});
    if (buffer.view == &layout.workspace.rows)
      view = memref::CollapseShapeOp::create(
          b, view, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
    *buffer.view = view;
    base = arith::AddIOp::create(b, base, layout.emitBytes(b, buffer));
  }
  if (!op.gradients)
    layout.workspace.query = layout.workspace.key;
  return layout.workspace;
}
