//===- Hooks.h - What compiled code calls back -------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_HOOKS_H
#define LOT_LIB_RUNTIME_HOOKS_H

#include "llvm/ADT/ArrayRef.h"

#include <string>
#include <utility>

namespace mlir::lot::runtime {

/// The calling convention of every entry: pointers to the arguments, then one
/// to the results.
using EntryPoint = void (*)(void **);

/// Calls compiled code. When a cf.assert in it fails, the call is left at once
/// and false is returned, with the message.
bool callGuarded(EntryPoint entry, void **args, std::string &message);

/// For what compiled code calls: notes why the call fails, and leaves it. No
/// object that has to be destroyed may live on the stack in between.
int keepMessage(const char *message);
[[noreturn]] void leaveCall();

/// Symbols that compiled code gets from us and not from the process.
llvm::ArrayRef<std::pair<const char *, void *>> getHooks();

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_HOOKS_H
