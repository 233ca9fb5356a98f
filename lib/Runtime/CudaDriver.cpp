//===- CudaDriver.cpp - The CUDA driver, loaded on demand -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaDriver.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

#include <dlfcn.h>
#include <mutex>

using namespace mlir::lot::runtime;
using namespace mlir::lot::runtime::cuda;

/// "" when `driver` is ready.
static std::string load(Driver &driver) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return std::string("expected an NVIDIA driver, found none: ") +
           (reason ? reason : "libcuda.so.1 cannot be loaded");
  }
  // First what tells the version, so that a driver that lacks the rest is told
  // by it.
  using Version = Result (*)(int *);
  auto getVersion =
      reinterpret_cast<Version>(dlsym(library, "cuDriverGetVersion"));
  if (getVersion)
    (void)getVersion(&driver.version);
  const char *missing = nullptr;
#define LOT_CUDA_FUNCTION(name, symbol, ...)                                   \
  if (auto *address = dlsym(library, #symbol))                                 \
    driver.name = reinterpret_cast<decltype(driver.name)>(address);            \
  else                                                                         \
    missing = #symbol;
#include "CudaFunctions.def"
  if (missing)
    return "the NVIDIA driver is too old: it supports CUDA " +
           std::to_string(driver.version / 1000) + "." +
           std::to_string(driver.version % 1000 / 10) + " and lacks " +
           missing + "; expected one of CUDA 12.0 or later";
  if (Result result = driver.init(0)) {
    if (result == kNoDevice)
      return "expected a CUDA device, found none (cuInit: " +
             driver.describe(result, "") + ")";
    return "the NVIDIA driver cannot be used: " +
           driver.describe(result, "cuInit");
  }
  return "";
}

llvm::Expected<const Driver *> Driver::get() {
  static Driver driver;
  static const std::string problem = load(driver);
  if (!problem.empty())
    return llvm::createStringError(problem);
  return &driver;
}

std::string Driver::describe(Result result, llvm::StringRef function) const {
  const char *name = nullptr, *text = nullptr;
  (void)getErrorName(result, &name);
  (void)getErrorString(result, &text);
  std::string message = function.str();
  if (!message.empty())
    message += " failed: ";
  message += (name ? name : "unknown error");
  message += " (" + std::to_string(result) + ")";
  if (text)
    message += std::string(", ") + text;
  return message;
}

llvm::Error Driver::error(Result result, llvm::StringRef function,
                          const llvm::Twine &what) const {
  std::string message = what.str();
  if (!message.empty())
    message += ": ";
  return llvm::createStringError(message + describe(result, function));
}

/// Fills in `gpu`.
static llvm::Error open(const Driver &driver, int ordinal, GPU &gpu) {
  int count = 0;
  if (Result result = driver.deviceGetCount(&count))
    return driver.error(result, "cuDeviceGetCount");
  if (count == 0)
    return llvm::createStringError("expected a CUDA device, found none");
  if (ordinal < 0 || ordinal >= count)
    return llvm::createStringError(
        "expected a CUDA device from 0 to %d, got %d", count - 1, ordinal);
  if (Result result = driver.deviceGet(&gpu.device, ordinal))
    return driver.error(result, "cuDeviceGet");
  for (auto [attribute, value] :
       {std::pair(kMajor, &gpu.major), std::pair(kMinor, &gpu.minor),
        std::pair(kMultiprocessors, &gpu.multiprocessors)})
    if (Result result = driver.deviceGetAttribute(value, attribute, gpu.device))
      return driver.error(result, "cuDeviceGetAttribute");
  if (gpu.major < 8) {
    char name[256] = "?";
    (void)driver.deviceGetName(name, sizeof(name), gpu.device);
    return llvm::createStringError(
        "expected a GPU of compute capability 8.0 or later, got %d.%d (device "
        "%d, %s)",
        gpu.major, gpu.minor, ordinal, name);
  }
  if (Result result = driver.primaryCtxRetain(&gpu.context, gpu.device))
    return driver.error(result, "cuDevicePrimaryCtxRetain");
  return llvm::Error::success();
}

llvm::Expected<const GPU *> GPU::get(int ordinal) {
  auto driver = Driver::get();
  if (!driver)
    return driver.takeError();
  static std::mutex mutex;
  // Never freed: a context is used until the process ends.
  static auto &gpus = *new llvm::DenseMap<int, const GPU *>();
  std::lock_guard<std::mutex> lock(mutex);
  if (const GPU *gpu = gpus.lookup(ordinal))
    return gpu;
  auto gpu = std::make_unique<GPU>();
  if (auto error = open(**driver, ordinal, *gpu))
    return std::move(error);
  return gpus[ordinal] = gpu.release();
}

ContextScope::ContextScope(const Driver &driver, Context context)
    : driver(driver) {
  Context current = nullptr;
  if (driver.ctxGetCurrent(&current) == kSuccess && current == context)
    return;
  pushed = driver.ctxPushCurrent(context) == kSuccess;
}

ContextScope::~ContextScope() {
  Context context;
  if (pushed)
    (void)driver.ctxPopCurrent(&context);
}
