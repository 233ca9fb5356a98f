//===- CudaModules.cpp - Device code, loaded into contexts ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaModules.h"

#include "CudaJit.h"

#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <mutex>

using namespace mlir::lot::runtime;
using namespace mlir::lot::runtime::cuda;

namespace {
/// Lets this thread load code while some thread captures a graph: loading does
/// not depend on the stream, but the driver cannot know.
class RelaxedCapture {
public:
  explicit RelaxedCapture(const Driver &driver) : driver(driver) {
    (void)driver.exchangeCaptureMode(&mode);
  }
  ~RelaxedCapture() { (void)driver.exchangeCaptureMode(&mode); }
  RelaxedCapture(const RelaxedCapture &) = delete;

private:
  const Driver &driver;
  int mode = 2; // CU_STREAM_CAPTURE_MODE_RELAXED, then the one before
};
} // namespace

namespace {
/// All device code of the process, by context and contents. None is ever
/// unloaded: a captured graph may hold its kernels for as long as it likes.
class Modules {
public:
  static Modules &get() {
    static auto &modules = *new Modules();
    return modules;
  }

  /// Loads `images` into the context of `gpu`, the current one; the `which`-th
  /// module. Code that is there already is not loaded again. What the driver
  /// makes of PTX is kept in the cache folder.
  llvm::Expected<Module> load(const Driver &driver, const GPU &gpu,
                              const Image *images, int64_t which);

private:
  using Key = std::pair<Context, llvm::BLAKE3Result<>>;

  std::mutex mutex;
  std::map<Key, Module> table;
};
} // namespace

static llvm::Expected<Module> loadImage(const Driver &driver, const GPU &gpu,
                                        llvm::StringRef code) {
  RelaxedCapture relaxed(driver);
  return isPTX(code) ? loadPTX(driver, gpu, code) : loadCubin(driver, code);
}

llvm::Expected<Module> Modules::load(const Driver &driver, const GPU &gpu,
                                     const Image *images, int64_t which) {
  std::lock_guard<std::mutex> lock(mutex);
  auto getKey = [&](const Image &image) {
    return Key(gpu.context, llvm::BLAKE3::hash(
                                llvm::arrayRefFromStringRef(image.getCode())));
  };
  Key wanted = getKey(images[which]);
  if (auto found = table.find(wanted); found != table.end())
    return found->second;
  std::map<Key, llvm::StringRef> missing;
  for (const Image *image = images; image->data; ++image)
    if (Key key = getKey(*image); !table.count(key))
      missing.try_emplace(key, image->getCode());
  // The driver compiles in the threads that ask it to.
  std::mutex results;
  llvm::Error errors = llvm::Error::success();
  auto loadOne = [&](const Key &key, llvm::StringRef code) {
    auto module = loadImage(driver, gpu, code);
    std::lock_guard<std::mutex> lock(results);
    if (module)
      table[key] = *module;
    else if (errors)
      llvm::consumeError(module.takeError());
    else
      errors = module.takeError();
  };
  if (missing.size() == 1) {
    loadOne(missing.begin()->first, missing.begin()->second);
  } else {
    llvm::DefaultThreadPool threads(
        llvm::hardware_concurrency(static_cast<unsigned>(missing.size())));
    for (auto &[key, code] : missing)
      threads.async([&, &key = key, &code = code] {
        ContextScope scope(driver, gpu.context);
        loadOne(key, code);
      });
    threads.wait();
  }
  if (errors)
    return std::move(errors);
  return table[wanted];
}

/// For whoever tunes kernels: what the compiler made of one.
static void describe(const Driver &driver, Function function,
                     llvm::StringRef name) {
  static const bool wanted =
      llvm::sys::Process::GetEnv("LOT_CUDA_VERBOSE").value_or("") == "1";
  if (!wanted)
    return;
  int registers = 0, local = 0, shared = 0;
  (void)driver.funcGetAttribute(&registers, kNumRegisters, function);
  (void)driver.funcGetAttribute(&local, kLocalBytes, function);
  (void)driver.funcGetAttribute(&shared, kSharedBytes, function);
  llvm::errs() << "lot: kernel " << name << ": " << registers << " registers, "
               << local << " bytes of local memory per thread, " << shared
               << " bytes of static shared memory\n";
}

llvm::Expected<Kernels::Kernel> Kernels::load(const Driver &driver,
                                              const GPU &gpu,
                                              const Image *images,
                                              int64_t which, const char *name) {
  RelaxedCapture relaxed(driver);
  auto module = Modules::get().load(driver, gpu, images, which);
  if (!module)
    return module.takeError();
  Function function;
  if (Result result = driver.moduleGetFunction(&function, *module, name))
    return driver.error(result, "cuModuleGetFunction",
                        "kernel '" + llvm::Twine(name) + "'");
  // Clusters of more than 8 blocks, where the GPU has clusters.
  if (gpu.major >= 9)
    (void)driver.funcSetAttribute(function, kNonPortableClusterSize, 1);
  int dynamic = 0;
  if (Result result =
          driver.funcGetAttribute(&dynamic, kMaxDynamicSharedBytes, function))
    return driver.error(result, "cuFuncGetAttribute",
                        "kernel '" + llvm::Twine(name) + "'");
  describe(driver, function, name);
  return Kernel{function, static_cast<unsigned>(dynamic)};
}

llvm::Expected<Function> Kernels::get(const Driver &driver, const GPU &gpu,
                                      const Image *images, int64_t which,
                                      const char *name, unsigned sharedBytes) {
  Key key(gpu.context, {images[which].data, name});
  {
    std::shared_lock<std::shared_mutex> lock(mutex);
    auto found = table.find(key);
    if (found != table.end() && found->second.sharedBytes >= sharedBytes)
      return found->second.function;
  }
  std::unique_lock<std::shared_mutex> lock(mutex);
  auto found = table.find(key);
  if (found == table.end()) {
    auto kernel = load(driver, gpu, images, which, name);
    if (!kernel)
      return kernel.takeError();
    found = table.try_emplace(key, *kernel).first;
  }
  Kernel &kernel = found->second;
  if (kernel.sharedBytes < sharedBytes) {
    if (Result result = driver.funcSetAttribute(
            kernel.function, kMaxDynamicSharedBytes, sharedBytes))
      return driver.error(result, "cuFuncSetAttribute",
                          "kernel '" + llvm::Twine(name) + "' with " +
                              llvm::Twine(sharedBytes) +
                              " bytes of dynamic shared memory");
    kernel.sharedBytes = sharedBytes;
  }
  return kernel.function;
}
