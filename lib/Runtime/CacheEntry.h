//===- CacheEntry.h - Compiled code as bytes ---------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CACHEENTRY_H
#define LOT_LIB_RUNTIME_CACHEENTRY_H

#include "CacheKey.h"

namespace mlir::lot::runtime {

/// `code` as the contents of a file: a header (mark, key, length and checksum
/// of the rest), the signatures, the objects.
std::string encodeEntry(const CacheKey &key, const ObjectCode &code);

/// The reverse; null unless `entry` is what encodeEntry wrote for `key`, to the
/// last bit.
std::unique_ptr<ObjectCode> decodeEntry(const CacheKey &key,
                                        llvm::StringRef entry);

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_CACHEENTRY_H
