//===- Signature.h - What a function takes and returns -----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_SIGNATURE_H
#define LOT_LIB_RUNTIME_SIGNATURE_H

#include "lot/Runtime/Tensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"

namespace mlir::lot::runtime {

/// The signature of `func`, or an error that names what cannot be passed.
llvm::Expected<Signature> getSignature(func::FuncOp func);

/// Whether `args` can be passed to `function`.
llvm::Error checkArguments(const Signature &function,
                           llvm::ArrayRef<TensorRef> args);

/// Row-major strides of a shape without gaps.
llvm::SmallVector<int64_t, 4> getRowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// Whether the elements of `shape` lie in row-major order without gaps.
bool isRowMajor(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> strides);

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_SIGNATURE_H
