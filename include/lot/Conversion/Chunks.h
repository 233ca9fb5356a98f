//===- Chunks.h - How a pass over tokens is cut -----------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A pass over the tokens of a head is cut into chunks of whole tiles. Each
// chunk leaves its sums in a row of its own and the rows are folded in order,
// so the result does not depend on who computes which chunk: borders are a
// function of the number of tokens alone, never of the number of threads.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_CONVERSION_CHUNKS_H
#define LOT_CONVERSION_CHUNKS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {

/// Tokens of a chunk. Below, clearing and folding its row would show in the
/// time of a sweep; above, short sequences would not spread over threads.
inline constexpr int64_t kChunkTokens = 1024;

/// Chunks of a pass at most: longer sequences get longer chunks.
inline constexpr int64_t kMaxChunks = 64;

/// The chunks of one pass: chunk c holds tiles [c * perChunk, (c + 1) *
/// perChunk), the last one what is left. There is always at least one.
struct Chunks {
  Value tiles;    ///< ceil(length / tile)
  Value perChunk; ///< tiles of a chunk
  Value count;
};

/// The chunks of `length` tokens in tiles of `tile`.
Chunks emitChunks(ImplicitLocOpBuilder &b, Value length, int64_t tile);

/// State values of a row of partial sums that serves every pass over r pivots
/// and `columns` gathered columns.
int64_t getPartialsSize(int64_t r, int64_t columns, int64_t lanes);

} // namespace mlir::lot

#endif // LOT_CONVERSION_CHUNKS_H
