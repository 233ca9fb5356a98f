//===- LaunchCall.h - gpu.launch_func to a call of the runtime ---*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_GPUTORUNTIME_LAUNCHCALL_H
#define LOT_LIB_CONVERSION_GPUTORUNTIME_LAUNCHCALL_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::lot {

/// The device code of a module, which its first launch loads as a whole: a
/// constant array of addresses and sizes, with a null address at the end.
class ImageTable {
public:
  /// `symbols`: of the module, which holds the gpu.binary ops.
  explicit ImageTable(SymbolTable &symbols);

  /// The place of a binary's code in the table, taken if it has none.
  int64_t add(gpu::BinaryOp binary, StringRef code);
  /// The address of the table.
  Value getAddress(ImplicitLocOpBuilder &b) const;
  /// Makes the table and what it points to, if there is something in it.
  void emit(Location loc) const;

private:
  SymbolTable &symbols;
  std::string name;
  llvm::MapVector<StringAttr, StringRef> images;
};

/// Adds the pattern that calls `lotCudaLaunch`. `symbols` is the table of the
/// module that holds the gpu.binary ops; `images` gets the code of those with
/// launches.
void populateLaunchCallPattern(const LLVMTypeConverter &converter,
                               SymbolTable &symbols, ImageTable &images,
                               RewritePatternSet &patterns);

/// The declaration of a function of the runtime, made if it is not there.
LLVM::LLVMFuncOp getRuntimeFunction(SymbolTable &symbols, OpBuilder &builder,
                                    StringRef name, Type result,
                                    ArrayRef<Type> arguments);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_GPUTORUNTIME_LAUNCHCALL_H
