//===- CudaDevice.cpp - GPUs and their memory -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaDriver.h"
#include "Signature.h"

#include "lot/Runtime/Cuda.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"

#include <cstring>
#include <mutex>

using namespace mlir::lot;
using namespace mlir::lot::runtime;
using namespace mlir::lot::runtime::cuda;

//===----------------------------------------------------------------------===//
// Names of GPUs
//===----------------------------------------------------------------------===//

/// LLVM's code generator of NVIDIA's GPUs, null where it was built without it.
static const llvm::Target *getNVPTX() {
  static const llvm::Target *target = [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargetMCs();
    std::string error;
    return llvm::TargetRegistry::lookupTarget(
        llvm::Triple("nvptx64-nvidia-cuda"), error);
  }();
  return target;
}

static bool isKnownToLLVM(const llvm::Target &target, llvm::StringRef chip) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(target.createMCSubtargetInfo(
      llvm::Triple("nvptx64-nvidia-cuda"), "", ""));
  return info && info->isCPUStringValid(chip);
}

llvm::Error runtime::checkCudaChip(llvm::StringRef chip) {
  const llvm::Target *target = getNVPTX();
  if (!target)
    return llvm::createStringError("this LLVM has no code generator for "
                                   "NVIDIA's GPUs (NVPTX)");
  llvm::StringRef number = chip;
  unsigned version = 0;
  if (!number.consume_front("sm_") || number.consumeInteger(10, version) ||
      !isKnownToLLVM(*target, chip))
    return llvm::createStringError(
        "chip: expected a GPU as LLVM names it (sm_90a), got '%s'",
        chip.str().c_str());
  if (version < 80)
    return llvm::createStringError("chip: expected sm_80 or later, got '%s'",
                                   chip.str().c_str());
  return llvm::Error::success();
}

llvm::Expected<std::string> runtime::getCudaChip(int device) {
  auto gpu = GPU::get(device);
  if (!gpu)
    return gpu.takeError();
  std::string chip =
      "sm_" + std::to_string((*gpu)->major) + std::to_string((*gpu)->minor);
  // Hopper has instructions that only its own architecture names.
  if (chip == "sm_90")
    return chip + "a";
  // A GPU later than this LLVM runs what is compiled for one before it.
  if (const llvm::Target *target = getNVPTX();
      target && !isKnownToLLVM(*target, chip))
    return std::string("sm_90");
  return chip;
}

llvm::Expected<std::string> runtime::getCudaName(int device) {
  auto driver = Driver::get();
  if (!driver)
    return driver.takeError();
  auto gpu = GPU::get(device);
  if (!gpu)
    return gpu.takeError();
  char name[256] = "";
  if (Result result =
          (*driver)->deviceGetName(name, sizeof(name), (*gpu)->device))
    return (*driver)->error(result, "cuDeviceGetName");
  return std::string(name);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Calls `use` with the driver and with the context of `device` as current.
static llvm::Error
onDevice(int device, llvm::function_ref<llvm::Error(const Driver &)> use) {
  auto driver = Driver::get();
  if (!driver)
    return driver.takeError();
  auto gpu = GPU::get(device);
  if (!gpu)
    return gpu.takeError();
  ContextScope scope(**driver, (*gpu)->context);
  return use(**driver);
}

llvm::Expected<CudaBuffer> CudaBuffer::allocate(int device, int64_t bytes) {
  CudaBuffer buffer;
  if (auto error = onDevice(device, [&](const Driver &driver) -> llvm::Error {
        Pointer pointer = 0;
        // The driver has no blocks of 0 bytes.
        size_t size = std::max<int64_t>(bytes, 1);
        if (Result result = driver.memAlloc(&pointer, size))
          return driver.error(result, "cuMemAlloc",
                              "device " + llvm::Twine(device) + ": " +
                                  llvm::Twine(bytes) +
                                  " bytes cannot be allocated");
        buffer.device = device;
        buffer.data = reinterpret_cast<void *>(pointer);
        buffer.bytes = bytes;
        return llvm::Error::success();
      }))
    return std::move(error);
  return buffer;
}

CudaBuffer &CudaBuffer::operator=(CudaBuffer &&other) {
  std::swap(device, other.device);
  std::swap(data, other.data);
  std::swap(bytes, other.bytes);
  return *this;
}

CudaBuffer::~CudaBuffer() {
  if (data)
    llvm::consumeError(onDevice(device, [&](const Driver &driver) {
      (void)driver.memFree(reinterpret_cast<Pointer>(data));
      return llvm::Error::success();
    }));
}

llvm::Error CudaBuffer::copyFrom(const void *host) {
  if (bytes == 0)
    return llvm::Error::success();
  return onDevice(device, [&](const Driver &driver) -> llvm::Error {
    if (Result result =
            driver.memcpyHtoD(reinterpret_cast<Pointer>(data), host, bytes))
      return driver.error(result, "cuMemcpyHtoD");
    return llvm::Error::success();
  });
}

llvm::Expected<Tensor> runtime::copyToHost(const CudaCall &call,
                                           const CudaResult &result) {
  Tensor tensor(result.dtype, result.shape);
  if (result.isScalar) {
    std::memcpy(tensor.getData(), &result.scalar, getSize(result.dtype));
    return tensor;
  }
  if (!isRowMajor(result.shape, result.strides))
    return llvm::createStringError(
        "expected a result of row-major data without gaps");
  if (tensor.getNumBytes() == 0)
    return tensor;
  if (auto error =
          onDevice(call.device, [&](const Driver &driver) -> llvm::Error {
            if (Result code = driver.memcpyDtoHAsync(
                    tensor.getData(), reinterpret_cast<Pointer>(result.data),
                    tensor.getNumBytes(), static_cast<Stream>(call.stream)))
              return driver.error(code, "cuMemcpyDtoHAsync");
            return llvm::Error::success();
          }))
    return std::move(error);
  if (auto error = synchronize(call))
    return std::move(error);
  return tensor;
}

llvm::Error runtime::synchronize(const CudaCall &call) {
  return onDevice(call.device, [&](const Driver &driver) -> llvm::Error {
    if (Result result =
            driver.streamSynchronize(static_cast<Stream>(call.stream)))
      return driver.error(result, "cuStreamSynchronize");
    return llvm::Error::success();
  });
}

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

llvm::Expected<CudaTimer> CudaTimer::create(const CudaCall &call) {
  CudaTimer timer(call);
  if (auto error =
          onDevice(call.device, [&](const Driver &driver) -> llvm::Error {
            for (void **event : {&timer.begin, &timer.end}) {
              Event created;
              if (Result result = driver.eventCreate(&created, 0))
                return driver.error(result, "cuEventCreate");
              *event = created;
            }
            if (Result result =
                    driver.eventRecord(static_cast<Event>(timer.begin),
                                       static_cast<Stream>(call.stream)))
              return driver.error(result, "cuEventRecord");
            return llvm::Error::success();
          }))
    return std::move(error);
  return timer;
}

CudaTimer::~CudaTimer() {
  if (begin || end)
    llvm::consumeError(onDevice(call.device, [&](const Driver &driver) {
      for (void *event : {begin, end})
        if (event)
          (void)driver.eventDestroy(static_cast<Event>(event));
      return llvm::Error::success();
    }));
}

llvm::Expected<double> CudaTimer::stop() {
  float milliseconds = 0;
  auto from = static_cast<Event>(begin), to = static_cast<Event>(end);
  if (auto error =
          onDevice(call.device, [&](const Driver &driver) -> llvm::Error {
            if (Result result =
                    driver.eventRecord(to, static_cast<Stream>(call.stream)))
              return driver.error(result, "cuEventRecord");
            if (Result result = driver.eventSynchronize(to))
              return driver.error(result, "cuEventSynchronize");
            if (Result result =
                    driver.eventElapsedTime(&milliseconds, from, to))
              return driver.error(result, "cuEventElapsedTime");
            return llvm::Error::success();
          }))
    return std::move(error);
  return milliseconds * 1e-3;
}
