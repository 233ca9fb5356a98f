//===- Mma.cpp - Tensor cores ---------------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InlinePTX.h"
#include "Tiles.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

void lot::emitMma(Kernel &k, Type io, ArrayRef<Value> a, ArrayRef<Value> b,
                  MutableArrayRef<Value> accumulator) {
  // f16 fragments are vectors, bf16 ones words.
  auto fragments = [&](ArrayRef<Value> words) {
    Values result(words);
    if (io.isF16())
      for (Value &word : result)
        word = LLVM::BitcastOp::create(k, VectorType::get({2}, io), word);
    return result;
  };
  Type type = LLVM::LLVMStructType::getLiteral(
      k.getContext(), SmallVector<Type>(4, k.getF32Type()));
  auto ptx = io.isF16() ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
  Value sums = NVVM::MmaOp::create(
      k, type, fragments(a), fragments(b), ValueRange(accumulator),
      ArrayRef<int64_t>{16, 8, 16}, std::nullopt, std::nullopt,
      std::array{ptx, ptx},
      std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  for (int64_t i = 0; i < 4; ++i)
    accumulator[i] = LLVM::ExtractValueOp::create(k, sums, i);
}

Value lot::packWord(Kernel &k, Type io, Value low, Value high) {
  Value pair = k.convert(k.pack({low, high}), io);
  return k.words(pair)[0];
}
