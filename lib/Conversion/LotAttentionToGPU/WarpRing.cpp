//===- WarpRing.cpp - Rows that a warp copies ahead of their use ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpRing.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

WarpRing::WarpRing(Kernel &k, const SharedRegion &memory, Type element,
                   int64_t columns, int64_t stride, int64_t offset,
                   int64_t bytes)
    : k(k), columns(columns), slots(bytes / (2 * stride * Facts::kTile)) {
  assert(slots > 0 && "no room for a tile");
  rows = memory.view(offset, {slots * Facts::kTile, columns}, stride, element);
}

void WarpRing::copy(const Source *source, Value tile, int64_t first,
                    int64_t turn) {
  Type type = nvgpu::DeviceAsyncTokenType::get(k.getContext());
  int64_t vectors = columns / 8;
  for (int64_t at = 0; source && at < vectors * Facts::kTile; at += kWarp) {
    const Side &side = source->side;
    Value index = k.add(k.lane(), at);
    Value row = k.div(index, vectors);
    Value to = k.mul(k.rem(index, vectors), 8), from = k.add(to, first);
    Value last = k.sub(side.length, k.index(1));
    Value position = k.minNarrow(k.add(tile, row), last);
    Value inside;
    if (side.mass)
      inside = locateToken(k, side, tile, row).second;
    if (first + columns > source->columns) {
      Value some = k.less(from, k.index(source->columns));
      inside = inside ? k.both(inside, some) : some;
    }
    // No elements are read where none count: zeros.
    Value count = inside ? k.select(inside, k.index(8), k.index(0)) : Value();
    // One address for all copies of a lane, and the rows' stride.
    Value view = k.viewRows(source->tokens, source->leading, from);
    nvgpu::DeviceAsyncCopyOp::create(
        k, type, rows, ValueRange{k.warp(), k.add(getFirstRow(turn), row), to},
        view, ValueRange{position, k.index(0)}, k.getIndexAttr(8), count,
        k.getUnitAttr());
  }
  nvgpu::DeviceAsyncCreateGroupOp::create(k, type, ValueRange());
}

void WarpRing::wait(int64_t ahead) {
  NVVM::CpAsyncWaitGroupOp::create(k, ahead);
  k.warpBarrier();
}

Value WarpRing::getFirstRow(int64_t turn) {
  return k.index(turn % slots * Facts::kTile);
}
