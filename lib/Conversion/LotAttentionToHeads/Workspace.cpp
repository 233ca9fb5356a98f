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
#include "llvm/Support/MathExtras.h"

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
  Value rows; ///< null: one
  SmallVector<int64_t> shape;

  int64_t rowSize() const {
    return llvm::product_of(shape); // shapes are never empty
  }
};

/// The buffers in the order of `Workspace`.
struct Layout {
  SmallVector<Buffer> buffers;
  Value tiles;
  FloatType type;
  int64_t width; ///< bytes of one value

  Layout(ImplicitLocOpBuilder &b, AttentionOp op, Value longest);

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
};
} // namespace

/// Row sums are a column after the vectors.
static int64_t getColumns(AttentionOp op) {
  bool rowSum = op.getNormalization() == Normalization::row_sum;
  int64_t lanes = cast<CPUScheduleAttr>(op.getScheduleAttr()).getLanes();
  return llvm::alignTo(op.getValueDim(), lanes) + (rowSum ? lanes : 0);
}

static int64_t getPartials(AttentionOp op) {
  int64_t lanes = cast<CPUScheduleAttr>(op.getScheduleAttr()).getLanes();
  return getPartialsSize(op.getNumPivots(), getColumns(op), lanes);
}

Layout::Layout(ImplicitLocOpBuilder &b, AttentionOp op, Value longest)
    : type(op.getStateType()), width(type.getWidth() / 8) {
  auto schedule = cast<CPUScheduleAttr>(op.getScheduleAttr());
  int64_t tile = schedule.getTokenTile(), r = op.getNumPivots();
  int64_t packed = llvm::alignTo(r, schedule.getLanes());
  Chunks chunks = emitChunks(b, longest, tile);
  // A side without tokens has a tile, too: a sweep looks at its first one.
  tiles = arith::MaxUIOp::create(b, chunks.tiles, index(b, 1));
  bool stored = schedule.getFactor() == FactorStorage::stored;
  buffers = {{stored ? tiles : index(b, 0), {r, tile}},
             {tiles, {tile}},
             {tiles, {tile}},
             {nullptr, {r, getColumns(op)}},
             {nullptr, {op.getHeadDim(), packed}},
             {chunks.count, {getPartials(op)}}};
}

Value lot::emitLongest(ImplicitLocOpBuilder &b, Value query, Value key) {
  return arith::MaxUIOp::create(b, memref::DimOp::create(b, query, 2),
                                memref::DimOp::create(b, key, 2));
}

Value lot::emitWorkspaceBytes(ImplicitLocOpBuilder &b, AttentionOp op,
                              Value longest) {
  Layout layout(b, op, longest);
  Value total = index(b, 0);
  for (const Buffer &buffer : layout.buffers)
    total = arith::AddIOp::create(b, total, layout.emitBytes(b, buffer));
  return total;
}

Value lot::emitFits(ImplicitLocOpBuilder &b, AttentionOp op, Value longest,
                    Value workers) {
  // Every buffer has at most one row a tile, plus one row.
  Layout layout(b, op, longest);
  int64_t bytes = 0;
  for (const Buffer &buffer : layout.buffers)
    bytes += llvm::alignTo(buffer.rowSize() * layout.width, kAlignment);
  Value tiles = arith::AddIOp::create(b, layout.tiles, index(b, 1));
  Value limit = arith::DivUIOp::create(b, index(b, kMaxBytes / bytes), workers);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, tiles, limit);
}

Workspace lot::emitWorkspace(ImplicitLocOpBuilder &b, AttentionOp op,
                             Value longest, Value block, Value base) {
  Layout layout(b, op, longest);
  SmallVector<Value> views;
  for (const Buffer &buffer : layout.buffers) {
    SmallVector<int64_t> shape(buffer.shape);
    SmallVector<Value> sizes;
    if (buffer.rows) {
      shape.insert(shape.begin(), ShapedType::kDynamic);
      sizes.push_back(buffer.rows);
    }
    views.push_back(memref::ViewOp::create(
        b, MemRefType::get(shape, layout.type), block, base, sizes));
    base = arith::AddIOp::create(b, base, layout.emitBytes(b, buffer));
  }
  // Masses are flat.
  for (Value &mass : MutableArrayRef(views).slice(1, 2))
    mass = memref::CollapseShapeOp::create(
        b, mass, ArrayRef<ReassociationIndices>{{0, 1}});
  return {views[0], views[1], views[2], views[3], views[4], views[5]};
}
