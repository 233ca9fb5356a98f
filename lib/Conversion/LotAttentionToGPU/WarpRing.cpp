//===- WarpRing.cpp - Rows that a warp copies ahead of their use ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpRing.h"

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
    Value to = k.mul(k.rem(index, vectors), 8);
    Value from = k.add(to, first), position = k.add(tile, row);
    Value inside = side.mass ? locateToken(k, side, tile, row).second
                             : k.less(position, side.end);
    if (first + columns > source->columns)
      inside = k.both(inside, k.less(from, k.index(source->columns)));
    // No elements are read of a row that does not count, wherever it would be:
    // zeros.
    Value count = k.select(inside, k.index(8), k.index(0));
    Values indices(source->leading);
    indices.append({position, from});
    nvgpu::DeviceAsyncCopyOp::create(
        k, type, rows, ValueRange{k.warp(), k.add(getFirstRow(turn), row), to},
        source->tokens, indices, k.getIndexAttr(8), count, k.getUnitAttr());
  }
  token = nvgpu::DeviceAsyncCreateGroupOp::create(k, type, ValueRange());
}

void WarpRing::wait(int64_t ahead) {
  nvgpu::DeviceAsyncWaitOp::create(k, token, k.getI32IntegerAttr(ahead));
  k.warpBarrier();
}

Value WarpRing::getFirstRow(int64_t turn) {
  return k.index(turn % slots * Facts::kTile);
}
