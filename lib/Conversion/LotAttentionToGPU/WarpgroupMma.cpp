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

/// The matrix descriptor of PTX for operands whose rows are contracted.
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

Tile lot::emitGroupDots(Kernel &k, Type io, const GroupOperand &tokens,
                        const GroupOperand &matrix, int64_t rows,
                        int64_t parts) {
  MLIRContext *context = k.getContext();
  int64_t count = rows / 2;
  auto type = LLVM::LLVMStructType::getLiteral(
      context, SmallVector<Type>(count, k.getF32Type()));
  auto shape = NVVM::MMAShapeAttr::get(context, kGroupRows, rows, kDepth);
  auto element = NVVM::WGMMATypesAttr::get(
      context, io.isF16() ? NVVM::WGMMATypes::f16 : NVVM::WGMMATypes::bf16);
  auto f32 = NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32);
  auto plus = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  auto row = NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row);
  auto column = NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::col);
  Value a = makeDescriptor(k, tokens), sums = LLVM::PoisonOp::create(k, type);
  auto moved = [&](Value descriptor, int64_t bytes) -> Value {
    if (!bytes)
      return descriptor;
    Value units = arith::ConstantOp::create(k, k.getI64IntegerAttr(bytes / 16));
    return arith::AddIOp::create(k, descriptor, units);
  };
  Value b = makeDescriptor(k, matrix);
  NVVM::WgmmaFenceAlignedOp::create(k);
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t at = 0; at < tokens.columns; at += kDepth) {
      bool isFirst = part == 0 && at == 0;
      auto more = NVVM::WGMMAScaleOutAttr::get(
          context,
          isFirst ? NVVM::WGMMAScaleOut::zero : NVVM::WGMMAScaleOut::one);
      int64_t place = part * rows * matrix.columns + at;
      sums = NVVM::WgmmaMmaAsyncOp::create(
          k, type, sums, moved(a, at * kBytes), moved(b, place * kBytes), shape,
          element, element, f32, more, plus, plus, row, column,
          /*satfinite=*/NVVM::MMAIntOverflowAttr());
    }
  NVVM::WgmmaGroupSyncAlignedOp::create(k);
  NVVM::WgmmaWaitGroupSyncOp::create(k, 0);
  Tile tile;
  for (int64_t i = 0; i < count; ++i)
    tile.push_back(LLVM::ExtractValueOp::create(k, sums, i));
  // Nothing that is made of them comes before the wait.
  return emitOpaque(k, tile);
}
