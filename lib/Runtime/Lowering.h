//===- Lowering.h - A module to object code ----------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_LOWERING_H
#define LOT_LIB_RUNTIME_LOWERING_H

#include "ObjectCode.h"

#include "mlir/IR/Diagnostics.h"

namespace mlir::lot::runtime {

/// Collects the diagnostics of this thread's work as text.
class DiagnosticText {
public:
  explicit DiagnosticText(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            add(diagnostic);
          return success();
        }) {}

  llvm::Error error(const Twine &what) {
    std::string message = what.str();
    if (!text.empty())
      message += ": " + text;
    return llvm::createStringError(message);
  }

private:
  void add(Diagnostic &diagnostic) {
    llvm::raw_string_ostream os(text);
    if (!text.empty())
      os << "\n";
    if (auto location =
            diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      os << location.getFilename().getValue() << ":" << location.getLine()
         << ":" << location.getColumn() << ": ";
    os << diagnostic;
    for (Diagnostic &note : diagnostic.getNotes())
      os << "\n  note: " << note;
  }

  std::string text;
  ScopedDiagnosticHandler handler;
};

/// Runs lot-to-cpu or lot-to-nvgpu on `module` and makes machine code of it.
/// The options are resolved: target and chip are known to be good.
llvm::Error compileModule(ModuleOp module, const CompileOptions &options,
                          const llvm::orc::JITTargetMachineBuilder &target,
                          ObjectCode &code, CompileTimings &timings);

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_LOWERING_H
