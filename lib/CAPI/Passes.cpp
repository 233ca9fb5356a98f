//===- Passes.cpp - C API of the passes -----------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot-c/Passes.h"

#include "lot/InitAll.h"

#include "mlir/CAPI/Pass.h"
#include "mlir/InitAllPasses.h"

using namespace mlir;
using namespace mlir::lot;

extern "C" {
#include "lot/Conversion/Passes.capi.cpp.inc"
#include "lot/Transforms/Passes.capi.cpp.inc"
}

void lotRegisterAllPasses(void) {
  // A pipeline must not be registered twice.
  static const bool done = (mlir::lot::registerAllPasses(), true);
  (void)done;
}

void lotRegisterUpstreamPasses(void) {
  static const bool done = (mlir::registerAllPasses(), true);
  (void)done;
}
