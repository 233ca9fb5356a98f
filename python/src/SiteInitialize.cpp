//===- SiteInitialize.cpp - What `import lot.ir` registers ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot-c/Dialects.h"
#include "lot-c/Passes.h"

#include "mlir/Bindings/Python/NanobindAdaptors.h"

// MLIR's package initialization imports modules of this name and calls
// `register_dialects` with the registry that every ir.Context starts from.
NB_MODULE(_site_initialize_0, m) {
  lotRegisterAllPasses();
  m.def("register_dialects",
        [](MlirDialectRegistry registry) { lotRegisterAllDialects(registry); });
}
