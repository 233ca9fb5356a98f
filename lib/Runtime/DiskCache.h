//===- DiskCache.h - Compiled code kept between processes --------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_DISKCACHE_H
#define LOT_LIB_RUNTIME_DISKCACHE_H

#include "CacheKey.h"

namespace mlir::lot::runtime {

/// A folder with one file per compilation. Several processes may use it at
/// once. No failure of it is an error: code that cannot be loaded is compiled,
/// code that cannot be stored is not kept.
class DiskCache {
public:
  /// At most this many files are kept, those used last, and none that nobody
  /// used for this many days.
  static constexpr unsigned kMaxFiles = 4096;
  static constexpr unsigned kMaxDays = 30;

  /// The folder that the environment names: LOT_CACHE_DIR, else lot in
  /// XDG_CACHE_HOME, else ~/.cache/lot. None where LOT_CACHE_DIR is "off".
  static std::optional<DiskCache> get();

  /// The code that was stored under `key`; null when there is none, or none
  /// that can be trusted.
  std::unique_ptr<ObjectCode> load(const CacheKey &key);
  /// Keeps `code`, in place of what is there.
  void store(const CacheKey &key, const ObjectCode &code);
  /// Notes that the entry, whole as it is, could not be used.
  void reject(const CacheKey &key, const llvm::Twine &why);

  /// What went wrong, "" for nothing; each thing is said once in a process.
  std::string takeProblem() { return std::move(problem); }

private:
  explicit DiskCache(std::string folder) : folder(std::move(folder)) {}

  std::string getPath(const CacheKey &key) const;
  void report(llvm::StringRef kind, const llvm::Twine &text);

  std::string folder;
  std::string problem;
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_DISKCACHE_H
