//===- CudaJit.cpp - PTX to machine code by the driver --------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaJit.h"

#include "DiskCache.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <array>

using namespace mlir::lot::runtime;
using namespace mlir::lot::runtime::cuda;

/// The level of the driver's assembler (docs/performance.md).
static constexpr uintptr_t kJitLevel = 1;

bool cuda::isPTX(llvm::StringRef image) {
  return !image.starts_with("\x7f"
                            "ELF");
}

llvm::Expected<Module> cuda::loadCubin(const Driver &driver,
                                       llvm::StringRef cubin) {
  Module module;
  if (Result result =
          driver.moduleLoadDataEx(&module, cubin.data(), 0, nullptr, nullptr))
    return driver.error(result, "cuModuleLoadDataEx",
                        "cannot load device code");
  return module;
}

/// The version that PTX says it is written in: "8.6".
static llvm::StringRef getPTXVersion(llvm::StringRef ptx) {
  return ptx.split(".version").second.ltrim().take_while([](char c) {
    return llvm::isDigit(c) || c == '.';
  });
}

/// The first CUDA version that reads a version of PTX.
static std::string getCudaVersion(llvm::StringRef ptx) {
  auto [major, minor] = ptx.split('.');
  if (ptx == "8.6")
    return "12.7";
  if (ptx == "8.7")
    return "12.8";
  if (ptx == "8.8")
    return "12.9";
  // 8.0 to 8.5 came with 12.0 to 12.5; 9.0 with 13.0.
  unsigned number;
  if (major.getAsInteger(10, number))
    return "a later version";
  return std::to_string(number + 4) + "." + minor.str();
}

/// An error of the compiler in the driver.
static llvm::Error explain(const Driver &driver, Result result,
                           llvm::StringRef function, llvm::StringRef ptx,
                           llvm::StringRef log) {
  if (result == kUnsupportedPTXVersion) {
    llvm::StringRef version = getPTXVersion(ptx);
    return llvm::createStringError(
        "the NVIDIA driver is too old for PTX %s: it supports CUDA %d.%d, "
        "expected CUDA %s or later (%s)",
        version.str().c_str(), driver.version / 1000,
        driver.version % 1000 / 10, getCudaVersion(version).c_str(),
        driver.describe(result, function).c_str());
  }
  std::string message = driver.describe(result, function);
  if (!log.empty())
    message += "\n" + log.rtrim().str();
  return llvm::createStringError("the NVIDIA driver cannot compile a kernel: " +
                                 message);
}

namespace {
/// Options of the compiler in the driver, and its messages.
struct JitOptions {
  std::array<char, 8192> log = {};
  std::array<int, 3> names = {kErrorLog, kErrorLogBytes, kOptimizationLevel};
  std::array<void *, 3> values = {log.data(),
                                  reinterpret_cast<void *>(log.size()),
                                  reinterpret_cast<void *>(kJitLevel)};
  JitOptions() = default;
  JitOptions(const JitOptions &) = delete;

  llvm::StringRef getLog() const { return log.data(); }
};
} // namespace

/// For whoever wonders why compiling takes long: a linker that failed.
static void describe(const Driver &driver, Result result,
                     llvm::StringRef function) {
  static const bool wanted =
      llvm::sys::Process::GetEnv("LOT_CUDA_VERBOSE").value_or("") == "1";
  if (wanted)
    llvm::errs() << "lot: " << driver.describe(result, function) << "\n";
}

/// PTX to a cubin; "" where the driver's linker cannot do it.
static std::string compile(const Driver &driver, std::string &ptx) {
  JitOptions options;
  LinkState state;
  auto failed = [&](Result result, llvm::StringRef function) -> std::string {
    describe(driver, result, function);
    return "";
  };
  if (Result result =
          driver.linkCreate(options.names.size(), options.names.data(),
                            options.values.data(), &state))
    return failed(result, "cuLinkCreate");
  llvm::scope_exit destroy([&] { (void)driver.linkDestroy(state); });
  void *cubin = nullptr;
  size_t size = 0;
  // With the terminating zero.
  if (Result result = driver.linkAddData(
          state, kPTX, ptx.data(), ptx.size() + 1, "lot", 0, nullptr, nullptr))
    return failed(result, "cuLinkAddData");
  if (Result result = driver.linkComplete(state, &cubin, &size))
    return failed(result, "cuLinkComplete");
  return std::string(static_cast<const char *>(cubin), size);
}

/// What machine code for `ptx` depends on.
static CacheKey getKey(const Driver &driver, const GPU &gpu,
                       llvm::StringRef ptx) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "cubin 1\n"
     << driver.version << " " << gpu.major << "." << gpu.minor << " "
     << kJitLevel << "\n"
     << ptx;
  return llvm::BLAKE3::hash(llvm::arrayRefFromStringRef(text));
}

llvm::Expected<Module> cuda::loadPTX(const Driver &driver, const GPU &gpu,
                                     llvm::StringRef image) {
  std::string ptx = image.rtrim('\0').str();
  std::optional<DiskCache> cache = DiskCache::get();
  CacheKey key = getKey(driver, gpu, ptx);
  if (auto code = cache ? cache->load(key) : nullptr;
      code && code->objects.size() == 1) {
    auto module = loadCubin(driver, code->objects[0]->getBuffer());
    if (module)
      return module;
    cache->reject(key, llvm::toString(module.takeError()));
  }
  if (std::string cubin = compile(driver, ptx); !cubin.empty()) {
    auto module = loadCubin(driver, cubin);
    if (!module)
      return module.takeError();
    if (cache) {
      ObjectCode code;
      code.objects.push_back(llvm::MemoryBuffer::getMemBufferCopy(cubin));
      cache->store(key, code);
    }
    return module;
  }
  // Without the linker, the driver compiles as it loads. Its messages are the
  // better ones, too.
  JitOptions options;
  Module module;
  if (Result result =
          driver.moduleLoadDataEx(&module, ptx.c_str(), options.names.size(),
                                  options.names.data(), options.values.data()))
    return explain(driver, result, "cuModuleLoadDataEx", ptx, options.getLog());
  return module;
}
