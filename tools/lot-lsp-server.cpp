//===- lot-lsp-server.cpp - mlir-lsp-server with the lot dialect ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HoverDocs.h"

#include "lot/InitAll.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::lot::registerAllDialects(registry);
  mlir::lot::registerAllExtensions(registry);
  auto server = [&] {
    return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry)) ? 1 : 0;
  };
  // These print a text and leave the process.
  for (llvm::StringRef argument : llvm::ArrayRef(argv, argc).drop_front())
    if (argument.contains("help") || argument.contains("version"))
      return server();
  return mlir::lot::runWithHoverDocs(server);
}
