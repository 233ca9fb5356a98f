//===- DiskCache.cpp - Compiled code kept between processes ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// llvm::localCache would be the ready-made store. It is not used, because it
// ends the process when a disk is full, takes over the signal handlers of the
// process (Python's Ctrl-C among them) and trusts every file it finds.
// llvm::pruneCache is used; it takes care of files named llvmcache-*. Of its
// limits those of the size are not: it ends the process when the folder goes
// away meanwhile.
//
//===----------------------------------------------------------------------===//

#include "DiskCache.h"

#include "CacheEntry.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <mutex>
#include <unistd.h>

using namespace mlir::lot;
using namespace mlir::lot::runtime;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

/// No module comes near; a file that is larger is not ours.
static constexpr uint64_t kMaxBytes = 64 << 20;

std::optional<DiskCache> DiskCache::get() {
  if (auto folder = llvm::sys::Process::GetEnv("LOT_CACHE_DIR");
      folder && !folder->empty()) {
    if (*folder == "off")
      return std::nullopt;
    return DiskCache(std::move(*folder));
  }
  llvm::SmallString<256> folder;
  if (!path::cache_directory(folder)) // XDG_CACHE_HOME, else ~/.cache
    return std::nullopt;
  path::append(folder, "lot");
  return DiskCache(folder.str().str());
}

std::string DiskCache::getPath(const CacheKey &key) const {
  llvm::SmallString<256> file(folder);
  path::append(file, "llvmcache-" + llvm::toHex(key, /*LowerCase=*/true));
  return file.str().str();
}

void DiskCache::report(llvm::StringRef kind, const llvm::Twine &text) {
  static std::mutex mutex;
  static llvm::StringSet<> said;
  std::lock_guard<std::mutex> lock(mutex);
  if (problem.empty() && said.insert((kind + ":" + folder).str()).second)
    problem = text.str();
}

void DiskCache::reject(const CacheKey &key, const llvm::Twine &why) {
  report("entry", "compiled anew: '" + getPath(key) +
                      "' in the cache of compiled code " + why);
}

std::unique_ptr<ObjectCode> DiskCache::load(const CacheKey &key) {
  std::string file = getPath(key);
  fs::file_status status;
  if (fs::status(file, status))
    return nullptr; // not there, as a rule
  auto reject = [&](const char *why) {
    this->reject(key, why);
    return nullptr;
  };
  // Opening something else, a pipe for example, could block.
  if (!fs::is_regular_file(status))
    return reject("is not a file");
  auto opened = fs::openNativeFileForRead(file);
  if (!opened) {
    llvm::consumeError(opened.takeError());
    return reject("cannot be read");
  }
  llvm::scope_exit close([&] { fs::closeFile(*opened); });
  // It is code that this process is about to run: nobody else may have written
  // it.
  if (fs::status(*opened, status) ||
      (status.getUser() != geteuid() && status.getUser() != 0))
    return reject("belongs to another user");
  if (status.permissions() & (fs::group_write | fs::others_write))
    return reject("can be written by other users");
  if (status.getSize() > kMaxBytes)
    return reject("is damaged");
  // Read and not mapped: whatever happens to the file later, the bytes that
  // are checked are the bytes that are used.
  auto bytes = llvm::MemoryBuffer::getOpenFile(*opened, file, status.getSize(),
                                               /*RequiresNullTerminator=*/false,
                                               /*IsVolatile=*/true);
  if (!bytes)
    return reject("cannot be read");
  auto code = decodeEntry(key, (*bytes)->getBuffer());
  if (!code)
    return reject("is damaged");
  // When it was used last, also where the file system does not note it.
  (void)fs::setLastAccessAndModificationTime(*opened,
                                             std::chrono::system_clock::now(),
                                             status.getLastModificationTime());
  return code;
}

/// Writes a file that nobody sees before it is whole. Returns what failed.
static std::error_code writeAtomically(const std::string &file,
                                       llvm::StringRef bytes) {
  int descriptor;
  std::string temporary;
  std::error_code error;
  do { // fs::createUniqueFile would take a % of the folder for its own
    temporary =
        file + "-" + llvm::utohexstr(llvm::sys::Process::GetRandomNumber());
    error = fs::openFileForWrite(temporary, descriptor, fs::CD_CreateNew,
                                 fs::OF_None, fs::owner_read | fs::owner_write);
  } while (error == std::errc::file_exists);
  if (error)
    return error;
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
  os << bytes;
  os.close();
  error = os.error();
  os.clear_error();
  if (!error)
    error = fs::rename(temporary, file);
  if (error)
    (void)fs::remove(temporary);
  return error;
}

void DiskCache::store(const CacheKey &key, const ObjectCode &code) {
  std::string entry = encodeEntry(key, code);
  if (entry.size() > kMaxBytes)
    return;
  std::error_code error =
      fs::create_directories(folder, /*IgnoreExisting=*/true, fs::owner_all);
  if (!error)
    error = writeAtomically(getPath(key), entry);
  if (error) {
    report("store", "compiled code cannot be kept in the cache folder '" +
                        folder + "': " + error.message() +
                        "; every process compiles anew (LOT_CACHE_DIR names "
                        "another folder, LOT_CACHE_DIR=off does without)");
    return;
  }
  llvm::CachePruningPolicy policy;
  policy.Interval = std::chrono::minutes(1);
  policy.Expiration = std::chrono::hours(24 * kMaxDays);
  policy.MaxSizeFiles = kMaxFiles;
  policy.MaxSizePercentageOfAvailableSpace = 0;
  policy.MaxSizeBytes = 0;
  llvm::pruneCache(folder, policy);
}
