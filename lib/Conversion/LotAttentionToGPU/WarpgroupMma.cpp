//===- WarpgroupMma.cpp - Products of four warps --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpgroupMma.h"

#include "InlinePTX.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

/// Of a 16-bit value; what tensor cores contract at once.
static constexpr int64_t kBytes = 2;
static constexpr int64_t kDepth = 16;

GroupOperand GroupOperand::of(Kernel &k, Value rows, int64_t columns) {
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(k, rows);
  auto parts = memref::ExtractStridedMetadataOp::create(k, rows);
  base = k.add(base, k.mul(parts.getOffset(), kBytes));
  return {k.toWord(base), columns};
}

GroupOperand GroupOperand::from(Kernel &k, Value row) const {
  Value bytes = k.toWord(k.mul(row, columns * kBytes));
  return {arith::AddIOp::create(k, address, bytes), columns};
}

void lot::publishCopies(Kernel &k) {
  NVVM::FenceProxyOp::create(
      k, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(k.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}

/// The matrix descriptor of PTX; the same whether it is rows or columns that are
/// contracted.
static Value makeDescriptor(Kernel &k, const GroupOperand &operand) {
  int64_t rowBytes = operand.columns * kBytes;
  // Eight rows after eight rows, in units of 16 bytes; how 128 or 64 bytes of a
  // row are exchanged.
  int64_t stride = 8 * rowBytes / 16;
  int64_t exchange = rowBytes == 128 ? 1 : 2;
  Value address = arith::ShRUIOp::create(k, operand.address, k.word(4));
  address = arith::AndIOp::create(k, address, k.word(0x3fff));
  Type i64 = k.getI64Type();
  Value high = arith::ConstantOp::create(
      k, k.getI64IntegerAttr(exchange << 62 | stride << 32 | int64_t(1) << 16));
  return arith::OrIOp::create(k, arith::ExtUIOp::create(k, i64, address), high);
}

namespace {
/// Products that are added up: m64nNk16 of tensor cores.
class Chain {
public:
  /// Of `columns` columns. With `transposed` operands it is their rows that are
  /// contracted.
  Chain(Kernel &k, Type io, int64_t columns, bool transposed)
      : k(k), columns(columns), transposed(transposed),
        element(io.isF16() ? NVVM::WGMMATypes::f16 : NVVM::WGMMATypes::bf16),
        type(LLVM::LLVMStructType::getLiteral(
            k.getContext(), SmallVector<Type>(columns / 2, k.getF32Type()))),
        sums(LLVM::PoisonOp::create(k, type)) {}

  /// What products are added to; nothing: they begin.
  void start(ValueRange values);
  /// From so many bytes of either operand on.
  void add(Value a, int64_t bytesA, Value b, int64_t bytesB);
  Tile finish();

private:
  Kernel &k;
  int64_t columns;
  bool transposed, begins = true;
  NVVM::WGMMATypes element;
  Type type;
  Value sums;
};
} // namespace

void Chain::start(ValueRange values) {
  for (auto [i, value] : llvm::enumerate(values))
    sums = LLVM::InsertValueOp::create(k, sums, value, i);
  begins = values.empty();
  NVVM::WgmmaFenceAlignedOp::create(k);
}

void Chain::add(Value a, int64_t bytesA, Value b, int64_t bytesB) {
  MLIRContext *context = k.getContext();
  auto moved = [&](Value descriptor, int64_t bytes) -> Value {
    if (!bytes)
      return descriptor;
    Value units = arith::ConstantOp::create(k, k.getI64IntegerAttr(bytes / 16));
    return arith::AddIOp::create(k, descriptor, units);
  };
  using NVVM::MMALayout;
  sums = NVVM::WgmmaMmaAsyncOp::create(
      k, type, sums, moved(a, bytesA), moved(b, bytesB),
      NVVM::MMAShapeAttr::get(context, kGroupRows, columns, kDepth), element,
      element, NVVM::WGMMATypes::f32,
      begins ? NVVM::WGMMAScaleOut::zero : NVVM::WGMMAScaleOut::one,
      NVVM::WGMMAScaleIn::one, NVVM::WGMMAScaleIn::one,
      transposed ? MMALayout::col : MMALayout::row,
      transposed ? MMALayout::row : MMALayout::col,
      /*satfinite=*/NVVM::MMAIntOverflowAttr());
  begins = false;
}

Tile Chain::finish() {
  NVVM::WgmmaGroupSyncAlignedOp::create(k);
  NVVM::WgmmaWaitGroupSyncOp::create(k, 0);
  Tile tile;
  for (int64_t i = 0; i < columns / 2; ++i)
    tile.push_back(LLVM::ExtractValueOp::create(k, sums, i));
  // Nothing that is made of them comes before the wait.
  return emitOpaque(k, tile);
}

Tile lot::emitGroupDots(Kernel &k, Type io, const GroupOperand &tokens,
                        const GroupOperand &matrix, int64_t rows,
                        int64_t parts) {
  Value a = makeDescriptor(k, tokens), b = makeDescriptor(k, matrix);
  Chain chain(k, io, rows, /*transposed=*/false);
  chain.start({});
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t at = 0; at < tokens.columns; at += kDepth)
      chain.add(a, at * kBytes, b,
                (part * rows * matrix.columns + at) * kBytes);
  return chain.finish();
}

Tile lot::emitGroupSums(Kernel &k, Type io, const GroupOperand &rows,
                        const GroupOperand &matrix, ValueRange sums) {
  assert(rows.columns == kGroupRows && "expected as many columns as rows");
  Value a = makeDescriptor(k, rows), b = makeDescriptor(k, matrix);
  Chain chain(k, io, matrix.columns, /*transposed=*/true);
  chain.start(sums);
  for (int64_t at = 0; at < kGroupRows; at += kDepth)
    chain.add(a, at * rows.columns * kBytes, b, at * matrix.columns * kBytes);
  return chain.finish();
}
