//===- Plugin.cpp - lot for a stock mlir-opt ------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One shared object that is a dialect plugin and a pass plugin:
//   mlir-opt --load-dialect-plugin=LotPlugin.so --load-pass-plugin=LotPlugin.so
//            --pass-pipeline='builtin.module(lot-to-linalg)'
//
//===----------------------------------------------------------------------===//

#include "lot/InitAll.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Compiler.h"

/// A pipeline must not be registered twice, and a tool may load us twice.
static void registerPassesOnce() {
  static const bool done = (mlir::lot::registerAllPasses(), true);
  (void)done;
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "lot", LLVM_VERSION_STRING,
          [](mlir::DialectRegistry *registry) {
            mlir::lot::registerAllDialects(*registry);
            mlir::lot::registerAllExtensions(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "lot", LLVM_VERSION_STRING,
          [] { registerPassesOnce(); }};
}
