//===- Runtime.cpp - C API of the runtime ---------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot-c/Runtime.h"

#include "lot/Runtime/Executable.h"
#include "lot/Target/GPUTarget.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace mlir::lot::runtime;

static_assert(int(LotDTypeF16) == int(DType::F16) &&
                  int(LotDTypeI1) == int(DType::I1) &&
                  int(LotDTypeIndex) == int(DType::Index),
              "LotDType lists what DType lists");
static_assert(LOT_DYNAMIC == kDynamic, "one mark for dynamic sizes");

static Executable *unwrap(LotExecutable executable) {
  return static_cast<Executable *>(executable.ptr);
}
static Tensor *unwrap(LotTensor tensor) {
  return static_cast<Tensor *>(tensor.ptr);
}

static void report(llvm::Error error, char **message) {
  std::string text = llvm::toString(std::move(error));
  if (message)
    *message = strdup(text.c_str());
}

static CompileOptions convert(const LotCompileOptions *options) {
  CompileOptions result;
  if (!options)
    return result;
  if (options->cpu)
    result.cpu = options->cpu;
  result.openmp = options->openmp;
  result.verify = options->verify;
  result.optLevel = options->optLevel;
  result.cache = options->cache;
  if (options->target)
    result.target = options->target;
  if (options->chip)
    result.chip = options->chip;
  return result;
}

static LotExecutable
wrap(llvm::Expected<std::unique_ptr<Executable>> executable, char **error) {
  if (executable)
    return {executable->release()};
  report(executable.takeError(), error);
  return {nullptr};
}

LotCompileOptions lotCompileOptionsDefault(void) {
  CompileOptions options;
  return {"native",      options.openmp, options.verify, options.optLevel,
          options.cache, "cpu",          nullptr};
}

LotExecutable lotExecutableCompile(MlirModule module,
                                   const LotCompileOptions *options,
                                   char **error) {
  return wrap(Executable::compile(unwrap(module), convert(options)), error);
}

LotExecutable lotExecutableCompileText(MlirStringRef text,
                                       const LotCompileOptions *options,
                                       char **error) {
  return wrap(Executable::compileText(unwrap(text), "", convert(options)),
              error);
}

bool lotExecutableIsNull(LotExecutable executable) { return !executable.ptr; }

void lotExecutableDestroy(LotExecutable executable) {
  delete unwrap(executable);
}

LotCompileTimings lotExecutableGetTimings(LotExecutable executable) {
  const CompileTimings &timings = unwrap(executable)->getTimings();
  return {timings.lower, timings.translate, timings.optimize, timings.codegen,
          timings.load};
}

bool lotExecutableIsCached(LotExecutable executable) {
  return unwrap(executable)->isCached();
}

MlirStringRef lotExecutableGetWarning(LotExecutable executable) {
  return mlirStringRefCreate(unwrap(executable)->getWarning().data(),
                             unwrap(executable)->getWarning().size());
}

intptr_t lotExecutableGetNumFunctions(LotExecutable executable) {
  return unwrap(executable)->getFunctions().size();
}

static const Signature &getFunction(LotExecutable executable,
                                    intptr_t function) {
  return unwrap(executable)->getFunctions()[function];
}

MlirStringRef lotExecutableGetFunctionName(LotExecutable executable,
                                           intptr_t function) {
  const std::string &name = getFunction(executable, function).name;
  return mlirStringRefCreate(name.data(), name.size());
}

intptr_t lotExecutableFindFunction(LotExecutable executable,
                                   MlirStringRef name) {
  const Signature *function = unwrap(executable)->find(unwrap(name));
  if (!function)
    return -1;
  return function - unwrap(executable)->getFunctions().data();
}

intptr_t lotExecutableGetNumArguments(LotExecutable executable,
                                      intptr_t function) {
  return getFunction(executable, function).arguments.size();
}

intptr_t lotExecutableGetNumResults(LotExecutable executable,
                                    intptr_t function) {
  return getFunction(executable, function).results.size();
}

static LotTensorType wrap(const TensorSpec &spec) {
  return {static_cast<LotDType>(spec.dtype),
          static_cast<intptr_t>(spec.getRank()),
          spec.shape.data(),
          spec.contiguous ? nullptr : spec.strides.data(),
          spec.scalar,
          spec.writable};
}

LotTensorType lotExecutableGetArgument(LotExecutable executable,
                                       intptr_t function, intptr_t position) {
  return wrap(getFunction(executable, function).arguments[position]);
}

LotTensorType lotExecutableGetResult(LotExecutable executable,
                                     intptr_t function, intptr_t position) {
  return wrap(getFunction(executable, function).results[position]);
}

/// The arguments of a call; fails on ones that are none.
static llvm::Error convert(llvm::ArrayRef<LotTensorRef> args,
                           SmallVector<TensorRef> &refs) {
  for (const LotTensorRef &arg : args) {
    if (arg.dtype < LotDTypeF16 || arg.dtype > LotDTypeIndex || arg.rank < 0)
      return llvm::createStringError(
          "argument #%zu: expected a LotDType and a rank of at least 0, got %d "
          "and %zd",
          refs.size(), int(arg.dtype), arg.rank);
    llvm::ArrayRef<int64_t> strides;
    if (arg.strides)
      strides = {arg.strides, static_cast<size_t>(arg.rank)};
    refs.push_back({arg.data,
                    static_cast<DType>(arg.dtype),
                    {arg.shape, static_cast<size_t>(arg.rank)},
                    strides});
  }
  return llvm::Error::success();
}

static llvm::Error checkFunction(LotExecutable executable, intptr_t function) {
  if (function >= 0 && function < lotExecutableGetNumFunctions(executable))
    return llvm::Error::success();
  return llvm::createStringError("expected a function from 0 to %zd, got %zd",
                                 lotExecutableGetNumFunctions(executable) - 1,
                                 function);
}

bool lotExecutableInvoke(LotExecutable executable, intptr_t function,
                         intptr_t numArgs, const LotTensorRef *args,
                         int threads, LotTensor *results, char **error) {
  SmallVector<TensorRef> refs;
  llvm::Error bad = checkFunction(executable, function);
  if (!bad)
    bad = convert(llvm::ArrayRef(args, numArgs), refs);
  if (bad) {
    report(std::move(bad), error);
    return false;
  }
  std::optional<int> count;
  if (threads != 0)
    count = threads;
  auto tensors =
      unwrap(executable)
          ->invoke(unwrap(executable)->getFunctions()[function], refs, count);
  if (!tensors) {
    report(tensors.takeError(), error);
    return false;
  }
  for (auto [position, tensor] : llvm::enumerate(*tensors))
    results[position] = {new Tensor(std::move(tensor))};
  return true;
}

int64_t lotExecutableGetWorkspaceBytes(LotExecutable executable,
                                       intptr_t function, intptr_t numArgs,
                                       const LotTensorRef *args, char **error) {
  SmallVector<TensorRef> refs;
  llvm::Error bad = checkFunction(executable, function);
  if (!bad)
    bad = convert(llvm::ArrayRef(args, numArgs), refs);
  if (!bad) {
    auto bytes = unwrap(executable)
                     ->getWorkspaceBytes(
                         unwrap(executable)->getFunctions()[function], refs);
    if (bytes)
      return *bytes;
    bad = bytes.takeError();
  }
  report(std::move(bad), error);
  return -1;
}

static llvm::Error invokeOnCuda(const Executable &executable,
                                const Signature &function,
                                llvm::ArrayRef<TensorRef> refs,
                                const LotCudaCall &options) {
  if (!function.results.empty())
    return llvm::createStringError(
        "function '%s': expected one without results, which writes to memrefs, "
        "got %zu results",
        function.name.c_str(), function.results.size());
  auto bytes = executable.getWorkspaceBytes(function, refs);
  if (!bytes)
    return bytes.takeError();
  CudaCall call;
  call.device = options.device;
  call.stream = options.stream;
  if (*bytes > 0) {
    call.workspace = options.allocate(*bytes, options.user);
    call.workspaceBytes = *bytes;
    if (!call.workspace)
      return llvm::createStringError("workspace: %lld bytes cannot be "
                                     "allocated",
                                     static_cast<long long>(*bytes));
  }
  return executable.invokeOnCuda(function, refs, call).takeError();
}

bool lotExecutableInvokeOnCuda(LotExecutable executable, intptr_t function,
                               intptr_t numArgs, const LotTensorRef *args,
                               const LotCudaCall *call, char **error) {
  SmallVector<TensorRef> refs;
  llvm::Error bad = checkFunction(executable, function);
  if (!bad)
    bad = convert(llvm::ArrayRef(args, numArgs), refs);
  if (!bad)
    bad =
        invokeOnCuda(*unwrap(executable),
                     unwrap(executable)->getFunctions()[function], refs, *call);
  if (!bad)
    return true;
  report(std::move(bad), error);
  return false;
}

char *lotCudaGetChip(int device, char **error) {
  auto chip = getCudaChip(device);
  if (chip)
    return strdup(chip->c_str());
  report(chip.takeError(), error);
  return nullptr;
}

LotCudaResiduals lotCudaGetResiduals(int64_t numPivots, int64_t valueDim,
                                     int64_t halfSteps, bool rowSum) {
  lot::GPUResiduals residuals(numPivots, valueDim, halfSteps, rowSum);
  return {residuals.perQueryHead(), residuals.perPivotHead()};
}

LotTensorRef lotTensorGetRef(LotTensor tensor) {
  const Tensor &t = *unwrap(tensor);
  return {t.getData(), static_cast<LotDType>(t.getDType()),
          static_cast<intptr_t>(t.getShape().size()), t.getShape().data(),
          nullptr};
}

void lotTensorDestroy(LotTensor tensor) { delete unwrap(tensor); }

void lotStringDestroy(char *string) { free(string); }
