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
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::lot {

/// Adds the pattern that calls `lotCudaLaunch`. `symbols` is the table of the
/// module that holds the gpu.binary ops.
void populateLaunchCallPattern(const LLVMTypeConverter &converter,
                               SymbolTable &symbols,
                               RewritePatternSet &patterns);

/// The declaration of a function of the runtime, made if it is not there.
LLVM::LLVMFuncOp getRuntimeFunction(SymbolTable &symbols, OpBuilder &builder,
                                    StringRef name, Type result,
                                    ArrayRef<Type> arguments);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_GPUTORUNTIME_LAUNCHCALL_H
