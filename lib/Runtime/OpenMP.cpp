//===- OpenMP.cpp - The OpenMP runtime, loaded on demand ------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nothing links libomp: most uses of the project (lot-opt, a module without
// parallel loops) do without it.
//
//===----------------------------------------------------------------------===//

#include "OpenMP.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <optional>
#include <thread>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

/// The folder of the file that this code is in.
static std::string getOwnFolder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&getOwnFolder), &info) ||
      !info.dli_fname)
    return "";
  llvm::SmallString<256> path;
  if (llvm::sys::fs::real_path(info.dli_fname, path))
    return "";
  return llvm::sys::path::parent_path(path).str();
}

/// An OpenMP runtime that is loaded already. Local to its library or not.
static void *findLoaded() {
  for (const char *name : {"libomp.so.5", "libomp.so", "libiomp5.so"})
    if (void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD))
      return handle;
  return nullptr;
}

static void *load(std::string &tried) {
  if (void *handle = findLoaded())
    return handle;
  llvm::SmallVector<std::string> candidates;
  if (std::string folder = getOwnFolder(); !folder.empty())
    for (const char *sub : {"/libomp.so.5", "/../lib/libomp.so.5", "/libomp.so",
                            "/../lib/libomp.so"})
      candidates.push_back(folder + sub);
  candidates.push_back(LOT_LLVM_LIBRARY_DIR "/libomp.so.5");
  candidates.push_back(LOT_LLVM_LIBRARY_DIR "/libomp.so");
  for (const std::string &path : candidates)
    if (llvm::sys::fs::exists(path))
      if (void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))
        return handle;
  // Where the loader looks by itself, LD_LIBRARY_PATH included.
  for (const char *name : {"libomp.so.5", "libomp.so"})
    if (void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL))
      return handle;
  tried = llvm::join(candidates, ", ");
  return nullptr;
}

/// Whether `value` is a list of numbers of threads, one for each level of
/// nested regions.
static bool isThreadCountList(llvm::StringRef value) {
  constexpr unsigned kMost = (1 << 16) - 1;
  return llvm::all_of(llvm::split(value, ','), [](llvm::StringRef number) {
    unsigned count;
    return !number.trim().getAsInteger(10, count) && count >= 1 &&
           count <= kMost;
  });
}

namespace {
/// Takes an OMP_NUM_THREADS away that the OpenMP runtime cannot take, for as
/// long as it lives. The runtime reads the variable when it is initialised, and
/// aborts at "" and "-3", never returns at "abc", creates 1000000 threads.
class NumThreadsVariable {
public:
  explicit NumThreadsVariable(std::string &warning) {
    const char *set = getenv(kName);
    if (!set || isThreadCountList(set))
      return;
    value = set;
    unsetenv(kName);
    if (!llvm::StringRef(*value).trim().empty())
      warning = std::string(kName) +
                ": expected numbers of threads from 1 to 65535 with commas "
                "between them, got '" +
                *value + "'; it is ignored";
  }
  ~NumThreadsVariable() {
    if (value)
      setenv(kName, value->c_str(), /*overwrite=*/1);
  }

private:
  static constexpr const char *kName = "OMP_NUM_THREADS";
  std::optional<std::string> value;
};
} // namespace

llvm::Expected<const OpenMP *> OpenMP::get(std::string &warning) {
  static std::mutex mutex;
  static std::optional<OpenMP> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  if (loaded)
    return &*loaded;
  OpenMP openmp;
  std::string tried;
  openmp.handle = load(tried);
  if (!openmp.handle)
    return llvm::createStringError(
        "expected LLVM's OpenMP runtime libomp.so.5 beside this library, in "
        "LLVM's library folder or on the loader's path, found none (looked "
        "at %s); install it (Debian: libomp5-22) or compile without openmp",
        tried.c_str());
  openmp.setNumThreads = reinterpret_cast<void (*)(int)>(
      dlsym(openmp.handle, "omp_set_num_threads"));
  openmp.getMaxThreads =
      reinterpret_cast<int (*)()>(dlsym(openmp.handle, "omp_get_max_threads"));
  openmp.mostThreads = std::max(std::thread::hardware_concurrency(), 16u);
  if (!openmp.setNumThreads || !openmp.getMaxThreads ||
      !dlsym(openmp.handle, "__kmpc_fork_call"))
    return llvm::createStringError(
        "the OpenMP runtime that was loaded is not LLVM's: it has no "
        "__kmpc_fork_call or omp_set_num_threads");
  {
    NumThreadsVariable variable(warning);
    openmp.getMaxThreads(); // initialises
  }
  loaded = openmp;
  return &*loaded;
}

ThreadCountScope::ThreadCountScope(const OpenMP *openmp,
                                   std::optional<int> threads)
    : openmp(openmp) {
  if (!openmp)
    return;
  previous = openmp->getMaxThreads();
  int count = std::min(threads.value_or(previous), openmp->mostThreads);
  if (count != previous)
    openmp->setNumThreads(count);
  else
    this->openmp = nullptr; // nothing to put back
}

ThreadCountScope::~ThreadCountScope() {
  if (openmp)
    openmp->setNumThreads(previous);
}
