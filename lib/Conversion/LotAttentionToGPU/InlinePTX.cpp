//===- InlinePTX.cpp - What NVVM has no op for ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InlinePTX.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

static LLVM::InlineAsmOp emitAsm(ImplicitLocOpBuilder &b, TypeRange results,
                                 ValueRange operands, StringRef text,
                                 StringRef constraints, bool sideEffects) {
  return LLVM::InlineAsmOp::create(
      b, results, operands, text, constraints, sideEffects,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

Value lot::emitTranspose(ImplicitLocOpBuilder &b, Value word) {
  return emitAsm(b, b.getI32Type(), word,
                 "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;", "=r,r",
                 /*sideEffects=*/false)
      .getResult(0);
}

void lot::emitAsyncStore(ImplicitLocOpBuilder &b, Value address, Value value,
                         Value barrier) {
  emitAsm(b, TypeRange(), {address, value, barrier},
          "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32 "
          "[$0], $1, [$2];",
          "r,f,r,~{memory}", /*sideEffects=*/true);
}

void lot::emitAsyncCopy(ImplicitLocOpBuilder &b, Value address, int64_t offset,
                        Value source, Value absent) {
  Value from = arith::IndexCastOp::create(b, b.getI64Type(), source);
  std::string text =
      "cp.async.cg.shared.global [$0+" + std::to_string(offset) + "], [$1], 16";
  SmallVector<Value> operands{address, from};
  if (absent)
    operands.push_back(absent);
  emitAsm(b, TypeRange(), operands, text + (absent ? ", $2;" : ";"),
          absent ? "r,l,b,~{memory}" : "r,l,~{memory}", /*sideEffects=*/true);
}

void lot::emitStoreIf(ImplicitLocOpBuilder &b, Value condition, Value address,
                      ValueRange words) {
  Value to = arith::IndexCastOp::create(b, b.getI64Type(), address);
  emitAsm(b, TypeRange(),
          {condition, to, words[0], words[1], words[2], words[3]},
          "@$0 st.global.v4.b32 [$1], {$2, $3, $4, $5};",
          "b,l,r,r,r,r,~{memory}", /*sideEffects=*/true);
}

Value lot::emitOpaque(ImplicitLocOpBuilder &b, Value value) {
  if (!value.getType().isIndex())
    return emitAsm(b, value.getType(), value, "mov.b32 $0, $1;", "=r,r",
                   /*sideEffects=*/true)
        .getResult(0);
  Value word = arith::IndexCastOp::create(b, b.getI64Type(), value);
  Value opaque = emitAsm(b, word.getType(), word, "mov.b64 $0, $1;", "=l,l",
                         /*sideEffects=*/true)
                     .getResult(0);
  return arith::IndexCastOp::create(b, b.getIndexType(), opaque);
}

SmallVector<Value> lot::emitOpaque(ImplicitLocOpBuilder &b, ValueRange values) {
  std::string results, operands;
  for (size_t i = 0; i < values.size(); ++i) {
    results += "=f,";
    operands += std::to_string(i) + ",";
  }
  Type all = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(values.getTypes()));
  Value opaque = emitAsm(b, all, values, "", results + operands + "~{memory}",
                         /*sideEffects=*/true)
                     .getResult(0);
  SmallVector<Value> each;
  for (size_t i = 0; i < values.size(); ++i)
    each.push_back(LLVM::ExtractValueOp::create(b, opaque, i));
  return each;
}

void lot::emitMark(ImplicitLocOpBuilder &b, int64_t branch) {
  emitAsm(b, TypeRange(), ValueRange(), "// branch " + std::to_string(branch),
          "", /*sideEffects=*/true);
}
