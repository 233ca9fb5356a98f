//===- lot-run.cpp - Compiles a module and runs a function of it ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaRun.h"
#include "Progress.h"
#include "Times.h"

#include "lot/Runtime/Executable.h"
#include "lot/Runtime/Npy.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;
namespace cl = llvm::cl;

namespace {
/// The command line. Created in main: libLLVM registers options of its own
/// (among them --threads), which have to be gone by then.
struct Arguments {
  cl::OptionCategory category{"lot-run options"};
  cl::opt<std::string> file{cl::Positional, cl::Required,
                            cl::desc("<file.mlir, - for stdin>"),
                            cl::cat(category)};
  cl::opt<std::string> entry{"entry", cl::Required, cl::value_desc("name"),
                             cl::desc("the function to call"),
                             cl::cat(category)};
  cl::list<std::string> inputs{"input", cl::value_desc("file.npy"),
                               cl::desc("an argument, in their order"),
                               cl::cat(category)};
  cl::list<std::string> outputs{"output", cl::value_desc("file.npy"),
                                cl::desc("where a result goes, in their order"),
                                cl::cat(category)};
  cl::opt<int> threads{"threads", cl::init(0), cl::value_desc("n"),
                       cl::desc("OpenMP threads (default: OpenMP's)"),
                       cl::cat(category)};
  cl::opt<bool> measure{"time", cl::desc("run repeatedly, print times"),
                        cl::cat(category)};
  cl::opt<std::string> target{
      "target", cl::init("cpu"), cl::value_desc("cpu|cuda"),
      cl::desc("what to compile for and run on"), cl::cat(category)};
  cl::opt<int> device{"device", cl::init(0), cl::value_desc("n"),
                      cl::desc("number of the GPU to run on"),
                      cl::cat(category)};
  cl::opt<std::string> chip{
      "chip", cl::init(""), cl::value_desc("sm_XX"),
      cl::desc("GPU to compile for, as LLVM names it (default: that one)"),
      cl::cat(category)};
  cl::opt<std::string> cpu{
      "mcpu", cl::init("native"), cl::value_desc("processor"),
      cl::desc("processor to compile for, as clang names it (default: this)"),
      cl::cat(category)};
  cl::opt<bool> verify{"verify", cl::init(true),
                       cl::desc("check dynamic shapes at run time"),
                       cl::cat(category)};
  cl::opt<bool> cache{
      "cache", cl::init(true),
      cl::desc("use the folder of compiled code (LOT_CACHE_DIR)"),
      cl::cat(category)};

  /// What --threads asks for.
  std::optional<int> getThreads() const {
    return threads.getNumOccurrences() ? std::optional<int>(threads)
                                       : std::nullopt;
  }
};
} // namespace

static llvm::Error error(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

/// "a", "b" as a list for a message.
static std::string listEntries(const Executable &executable) {
  return llvm::join(
      llvm::map_range(executable.getFunctions(),
                      [](const Signature &function) { return function.name; }),
      ", ");
}

/// Everything about the command that can be found wrong without compiling.
static llvm::Error checkCommand(const Arguments &arguments) {
  if (arguments.getThreads().value_or(1) < 1)
    return error("expected --threads of at least 1, got " +
                 llvm::Twine(arguments.threads));
  const cl::list<std::string> &outputs = arguments.outputs;
  for (size_t i = 0; i < outputs.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (outputs[i] == outputs[j])
        return error("expected different files, got --output=" + outputs[i] +
                     " twice");
  if (arguments.target != "cpu" && arguments.target != "cuda")
    return error("expected --target=cpu or cuda, got " + arguments.target);
  if (arguments.target == "cuda" && arguments.getThreads())
    return error("expected --threads with --target=cpu, got it with cuda");
  return llvm::Error::success();
}

static llvm::Expected<std::vector<Tensor>>
readInputs(llvm::ArrayRef<std::string> inputs) {
  std::vector<Tensor> tensors;
  for (const std::string &path : inputs) {
    auto tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

static llvm::Error checkFunction(const Executable &executable,
                                 const Signature *function,
                                 llvm::ArrayRef<TensorRef> args,
                                 const Arguments &arguments) {
  const std::string &entry = arguments.entry;
  size_t numInputs = arguments.inputs.size();
  size_t numOutputs = arguments.outputs.size();
  if (!function)
    return error("no function '" + entry +
                 "', expected one of: " + listEntries(executable));
  if (numInputs != function->arguments.size())
    return error("expected " + llvm::Twine(function->arguments.size()) +
                 " --input for function '" + entry + "', got " +
                 llvm::Twine(numInputs));
  if (numOutputs != function->results.size())
    return error("expected " + llvm::Twine(function->results.size()) +
                 " --output for function '" + entry + "', got " +
                 llvm::Twine(numOutputs));
  return executable.checkArguments(*function, args);
}

static void printSummary(const Executable &executable,
                         const Signature &function, const Arguments &arguments,
                         llvm::ArrayRef<Tensor> args,
                         llvm::ArrayRef<Tensor> results) {
  auto print = [](llvm::StringRef what, size_t position, const Tensor &tensor,
                  llvm::StringRef path) {
    llvm::outs() << "  " << what << " #" << position << ": "
                 << formatShape(tensor.getShape()) << " "
                 << getName(tensor.getDType()) << ", " << path << "\n";
  };
  llvm::outs() << "entry " << function.name << "\n";
  for (size_t i = 0; i < args.size(); ++i)
    print("argument", i, args[i], arguments.inputs[i]);
  for (size_t i = 0; i < results.size(); ++i)
    print("result", i, results[i], arguments.outputs[i]);
  const CompileTimings &t = executable.getTimings();
  if (executable.isCached())
    llvm::outs() << llvm::format("loaded from the cache in %.4f s\n", t.load);
  else
    llvm::outs() << llvm::format(
        "compiled in %.3f s (lower %.3f, translate %.3f, optimize %.3f, code "
        "%.3f, load %.3f)\n",
        t.total(), t.lower, t.translate, t.optimize, t.codegen, t.load);
}

/// Compiles the file, with what there is to say about it.
static llvm::Expected<std::unique_ptr<Executable>>
compile(const Arguments &arguments, const llvm::MemoryBuffer &text,
        Progress &progress) {
  CompileOptions options;
  options.target = arguments.target;
  options.chip = arguments.chip;
  if (options.target == "cuda" && options.chip.empty()) {
    auto chip = getCudaChip(arguments.device);
    if (!chip)
      return chip.takeError();
    options.chip = *chip;
  }
  options.cpu = arguments.cpu;
  options.verify = arguments.verify;
  options.cache = arguments.cache;
  auto executable = Executable::compileText(
      text.getBuffer(), text.getBufferIdentifier(), options);
  if (!executable)
    return executable.takeError();
  if (llvm::StringRef warning = (*executable)->getWarning(); !warning.empty()) {
    progress.clear();
    llvm::errs() << "lot-run: warning: " << warning << "\n";
  }
  return executable;
}

static llvm::Error run(const Arguments &arguments) {
  const std::string &file = arguments.file, &entry = arguments.entry;
  if (auto error = checkCommand(arguments))
    return error;
  // Cheap first: a missing input or an unwritable folder must not be found
  // after minutes of work.
  auto text = llvm::MemoryBuffer::getFileOrSTDIN(file);
  if (!text)
    return error("'" + file + "': cannot read: " + text.getError().message());
  auto args = readInputs(arguments.inputs);
  if (!args)
    return args.takeError();
  std::vector<NpyWriter> writers;
  for (const std::string &path : arguments.outputs) {
    auto writer = NpyWriter::create(path);
    if (!writer)
      return writer.takeError();
    writers.push_back(std::move(*writer));
  }

  Progress progress("lot-run");
  progress.set("compiling " + (file == "-" ? std::string("stdin") : file));
  auto executable = compile(arguments, **text, progress);
  if (!executable)
    return executable.takeError();
  const Signature *function = (*executable)->find(entry);
  llvm::SmallVector<TensorRef> refs;
  for (const Tensor &tensor : *args)
    refs.push_back(tensor.ref());
  if (auto error = checkFunction(**executable, function, refs, arguments))
    return error;

  progress.set("running " + entry);
  std::optional<int> count = arguments.getThreads();
  std::optional<CudaRun> onDevice;
  if ((*executable)->isCuda()) {
    auto created =
        CudaRun::create(**executable, *function, *args, arguments.device);
    if (!created)
      return created.takeError();
    onDevice.emplace(std::move(*created));
  }
  auto results = onDevice ? onDevice->invoke()
                          : (*executable)->invoke(*function, refs, count);
  if (!results)
    return results.takeError();
  progress.set("writing");
  for (auto [writer, tensor] : llvm::zip(writers, *results))
    if (auto error = writer.write(tensor))
      return error;
  for (NpyWriter &writer : writers)
    if (auto error = writer.commit())
      return error;
  progress.clear();
  printSummary(**executable, *function, arguments, *args, *results);
  if (!arguments.measure)
    return llvm::Error::success();
  std::vector<double> times, launches;
  if (auto error = repeat(progress, [&]() -> llvm::Error {
        if (onDevice) {
          auto measured = onDevice->measure();
          if (!measured)
            return measured.takeError();
          times.push_back(measured->device);
          launches.push_back(measured->host);
          return llvm::Error::success();
        }
        double start = now();
        auto results = (*executable)->invoke(*function, refs, count);
        times.push_back(now() - start);
        return results.takeError();
      }))
    return error;
  printTimes("time", std::move(times));
  if (onDevice)
    printTimes("launch", std::move(launches));
  return llvm::Error::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ResetCommandLineParser();
  Arguments arguments;
  cl::HideUnrelatedOptions(arguments.category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Compiles a module for this machine (lot-to-cpu) or its GPU "
      "(lot-to-nvgpu) and calls one of its functions with arrays from .npy "
      "files.\n");
  llvm::Error error = run(arguments);
  if (!error)
    return 0;
  llvm::errs() << "lot-run: error: " << llvm::toString(std::move(error))
               << "\n";
  return 1;
}
