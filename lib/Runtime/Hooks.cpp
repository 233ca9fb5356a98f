//===- Hooks.cpp - What compiled code calls back --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR lowers cf.assert to puts(message) and abort(). Compiled code gets our
// puts and abort: the first keeps the message, the second jumps back to the
// call. Compiled code has no destructors, so nothing but its heap memory is
// skipped: its malloc and free are ours, too, and note what has to be freed.
// `compile` lets no assertion into a parallel region, which could not be left
// this way.
//
//===----------------------------------------------------------------------===//

#include "Hooks.h"

#include "mlir/ExecutionEngine/CRunnerUtils.h"
#include "llvm/ADT/SmallVector.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

namespace {
struct Call {
  std::jmp_buf back;
  std::string *message;
  Call *outer;
  /// What this thread has allocated and not yet freed.
  llvm::SmallVector<void *> blocks;
};
} // namespace

static thread_local Call *currentCall = nullptr;

int runtime::keepMessage(const char *message) {
  if (!currentCall)
    return std::puts(message);
  *currentCall->message = message;
  return 0;
}

void runtime::leaveCall() {
  if (!currentCall)
    std::abort();
  std::longjmp(currentCall->back, 1);
}

static void *allocate(size_t size) {
  void *block = std::malloc(size);
  if (currentCall && block)
    currentCall->blocks.push_back(block);
  return block;
}

static void release(void *block) {
  // The last ones go first as a rule. Threads of a parallel loop note nothing.
  if (currentCall && block) {
    auto &blocks = currentCall->blocks;
    for (size_t i = blocks.size(); i-- > 0;)
      if (blocks[i] == block) {
        blocks[i] = blocks.back();
        blocks.pop_back();
        break;
      }
  }
  std::free(block);
}

bool runtime::callGuarded(EntryPoint entry, void **args, std::string &message) {
  Call call;
  call.message = &message;
  call.outer = currentCall;
  currentCall = &call;
  // No local changes between here and the jump, so none is lost by it.
  if (setjmp(call.back) == 0) {
    entry(args);
    currentCall = call.outer;
    return true;
  }
  currentCall = call.outer;
  for (void *block : call.blocks)
    std::free(block);
  return false;
}

/// memref.copy between layouts that memcpy cannot serve. The same contract as
/// MLIR's runner library has, without the need to ship that library.
static void copyStrided(int64_t elementSize, UnrankedMemRefType<char> *source,
                        UnrankedMemRefType<char> *destination) {
  DynamicMemRefType<char> from(*source), to(*destination);
  int64_t rank = from.rank;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (from.sizes[dim] == 0)
      return;
  const char *read = from.data + from.offset * elementSize;
  char *write = to.data + to.offset * elementSize;
  llvm::SmallVector<int64_t, 6> index(rank, 0);
  while (true) {
    std::memcpy(write, read, elementSize);
    int64_t dim = rank - 1;
    for (; dim >= 0; --dim) {
      read += from.strides[dim] * elementSize;
      write += to.strides[dim] * elementSize;
      if (++index[dim] < from.sizes[dim])
        break;
      read -= from.sizes[dim] * from.strides[dim] * elementSize;
      write -= from.sizes[dim] * to.strides[dim] * elementSize;
      index[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}

llvm::ArrayRef<std::pair<const char *, void *>> runtime::getHooks() {
  static const std::pair<const char *, void *> hooks[] = {
      {"puts", reinterpret_cast<void *>(&keepMessage)},
      {"abort", reinterpret_cast<void *>(&leaveCall)},
      {"malloc", reinterpret_cast<void *>(&allocate)},
      {"free", reinterpret_cast<void *>(&release)},
      {"memrefCopy", reinterpret_cast<void *>(&copyStrided)},
  };
  return hooks;
}
