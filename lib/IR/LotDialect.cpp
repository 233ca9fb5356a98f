//===- LotDialect.cpp - The lot dialect -----------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace mlir::lot;

#include "lot/IR/LotDialect.cpp.inc"

namespace {
/// Ops of the dialect have no regions and no control flow: any may be inlined.
struct LotInlinerInterface : public DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};
} // namespace

void LotDialect::initialize() {
  addInterfaces<LotInlinerInterface>();
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "lot/IR/LotOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "lot/IR/LotOps.cpp.inc"
