//===- Optimize.h - LLVM passes between translation and code ----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_OPTIMIZE_H
#define LOT_LIB_RUNTIME_OPTIMIZE_H

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::lot::runtime {

/// Optimizes `module` in place at `level` 0 to 3.
///
/// Functions that lot-to-cpu wrote (named lot_*) come vectorised, blocked and
/// unrolled as they should stay: a short list of scalar clean-up passes makes
/// better code of them than O1 or O2 do, in a fifth of the time. Everything
/// else gets LLVM's own function pipeline, vectorisers included.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level);

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_OPTIMIZE_H
