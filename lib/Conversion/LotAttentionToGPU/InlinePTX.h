//===- InlinePTX.h - What NVVM has no op for --------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_INLINEPTX_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_INLINEPTX_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {

/// An 8 x 8 tile of 16-bit values, a 32-bit word a lane, transposed
/// (movmatrix).
Value emitTranspose(ImplicitLocOpBuilder &b, Value word);

/// Stores an f32 at a shared::cluster address (i32) and counts its bytes at a
/// transaction barrier of the same block (st.async).
void emitAsyncStore(ImplicitLocOpBuilder &b, Value address, Value value,
                    Value barrier);

/// 16 bytes at `source` (an index) in global memory on their way to `offset`
/// bytes after `address` (i32) in shared memory; zeros, and nothing is read,
/// where `absent` (may be null). The copy of nvgpu has a number of bytes in
/// place of a condition, which takes as many instructions again.
void emitAsyncCopy(ImplicitLocOpBuilder &b, Value address, int64_t offset,
                   Value source, Value absent);

/// Stores four words (i32) at `address` (an index) in global memory where
/// `condition`: a branch around a store takes what it stores with it.
void emitStoreIf(ImplicitLocOpBuilder &b, Value condition, Value address,
                 ValueRange words);

/// A word or an index (64 bits), of which the compiler does not know where it
/// comes from: what is computed from it stays where it is used. Addresses of
/// all tiles that are computed before a loop take more registers than there
/// are.
Value emitOpaque(ImplicitLocOpBuilder &b, Value value);

/// The same of all of them (f32) at once.
SmallVector<Value> emitOpaque(ImplicitLocOpBuilder &b, ValueRange values);

/// A comment, which keeps branches apart that differ in nothing but values:
/// compilers would join them, and move all values before it is known which ones
/// are asked for.
void emitMark(ImplicitLocOpBuilder &b, int64_t branch);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_INLINEPTX_H
