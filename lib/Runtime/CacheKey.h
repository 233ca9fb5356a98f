//===- CacheKey.h - What compiled code depends on ----------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CACHEKEY_H
#define LOT_LIB_RUNTIME_CACHEKEY_H

#include "ObjectCode.h"

#include "llvm/Support/BLAKE3.h"

#include <optional>

namespace mlir::lot::runtime {

using CacheKey = llvm::BLAKE3Result<>;

/// A hash of everything that decides what code a compilation ends in: the
/// source and the name it goes by in messages, the options, the processor, and
/// the compiler itself. None where the compiler cannot be told from another
/// build of it.
std::optional<CacheKey>
getCacheKey(llvm::StringRef source, llvm::StringRef file,
            const CompileOptions &options,
            const llvm::orc::JITTargetMachineBuilder &target);

/// A hash of the code of this compiler, as it is loaded now: of lot itself and
/// of the builds of LLVM and MLIR it runs on. A rebuilt compiler has another.
std::optional<CacheKey> getCompilerIdentity();

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_CACHEKEY_H
