//===- LotAttrs.cpp - Attributes of the lot dialect -----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::lot;

#include "lot/IR/LotEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "lot/IR/LotAttrs.cpp.inc"

LogicalResult
CPUScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t tokenTile, int64_t lanes, int64_t rowBlock,
                        int64_t vectorBlock, FactorStorage) {
  auto expect = [&](bool ok, StringRef what) -> LogicalResult {
    return ok ? success() : emitError() << "expected " << what;
  };
  if (failed(expect(llvm::isPowerOf2_64(lanes) && lanes <= 64,
                    "lanes to be a power of two of at most 64")))
    return failure();
  if (failed(
          expect(tokenTile > 0 && tokenTile % lanes == 0 && tokenTile <= 1024,
                 "token_tile to be a positive multiple of lanes of at most "
                 "1024")))
    return failure();
  return expect(rowBlock > 0 && vectorBlock > 0 && rowBlock * vectorBlock <= 64,
                "row_block and vector_block to be positive with a product of "
                "at most 64");
}

void LotDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "lot/IR/LotAttrs.cpp.inc"
      >();
}
