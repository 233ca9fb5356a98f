//===- Dialects.cpp - C API of the lot dialect ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot-c/Dialects.h"

#include "lot/InitAll.h"

#include "mlir/CAPI/Registration.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"

MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Lot, lot, mlir::lot::LotDialect)

void lotRegisterAllDialects(MlirDialectRegistry registry) {
  mlir::lot::registerAllDialects(*unwrap(registry));
}

void lotRegisterAllExtensions(MlirDialectRegistry registry) {
  mlir::lot::registerAllExtensions(*unwrap(registry));
}

void lotRegisterEverything(MlirDialectRegistry registry) {
  mlir::DialectRegistry &all = *unwrap(registry);
  mlir::registerAllDialects(all);
  mlir::registerAllExtensions(all);
  mlir::registerAllToLLVMIRTranslations(all);
  mlir::lot::registerAllDialects(all);
  mlir::lot::registerAllExtensions(all);
}
