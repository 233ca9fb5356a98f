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

/// Writes four words (16 bytes) to `address` (i64) of global memory where
/// `condition` is true, without a branch.
void emitStoreIf(ImplicitLocOpBuilder &b, Value condition, Value address,
                 ArrayRef<Value> words);

/// A word or an index (64 bits), of which the compiler does not know where it
/// comes from: what is computed from it stays where it is used. Addresses of
/// all tiles that are computed before a loop take more registers than there
/// are.
Value emitOpaque(ImplicitLocOpBuilder &b, Value value);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_INLINEPTX_H
