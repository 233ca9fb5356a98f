//===- InitAll.h - Registers everything of the lot project ------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_INITALL_H
#define LOT_INITALL_H

#include "lot/Conversion/Passes.h"
#include "lot/IR/Lot.h"
#include "lot/Models/Models.h"
#include "lot/Pipelines/Pipelines.h"
#include "lot/TransformOps/LotTransformOps.h"
#include "lot/Transforms/Passes.h"

namespace mlir::lot {

/// The lot dialect with every external model.
inline void registerAllDialects(DialectRegistry &registry) {
  registry.insert<LotDialect>();
  registerAllModels(registry);
}

/// What extends dialects of others: the transform ops of lot.
inline void registerAllExtensions(DialectRegistry &registry) {
  registerTransformDialectExtension(registry);
}

/// Every pass and pipeline.
inline void registerAllPasses() {
  registerLotPasses();
  registerLotConversionPasses();
  registerLotPipelines();
}

} // namespace mlir::lot

#endif // LOT_INITALL_H
