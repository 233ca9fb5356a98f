//===- fake_cuda_machine.h - Kernels of the tests' driver ---------*- C -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels in another process: the shell's command FAKE_CUDA_MACHINE, which
// shares the device memory and reads from its stdin
//   memory FILE ADDRESS BYTES     the device memory, an open file
//   allocate ADDRESS BYTES
//   free ADDRESS
//   module NUMBER BYTES           the PTX follows
//   function MODULE NAME
//   launch MODULE NAME GRIDX GRIDY BLOCK CLUSTER SHARED PARAMETERS...
// It answers a function with the bytes of each parameter, a launch with
// `done`; anything else is a failure, of which it tells on stderr.
// Calls of several threads at once are not possible.
//
//===----------------------------------------------------------------------===//

#ifndef FAKE_CUDA_MACHINE_H
#define FAKE_CUDA_MACHINE_H

#include <stddef.h>

/* Whether there is such a process, or will be. */
int machineIsGiven(void);

/* Device memory from 256 bytes after the block, which are the caller's; aligned
   to 256 bytes. NULL where none is left. */
void *machineAllocate(size_t bytes);
void machineFree(void *block);

struct machine_function;

/* NULL where the machine does not know it. */
struct machine_function *machineFunction(const char *ptx, const char *name);

/* Grids in x and y, blocks and clusters in x. 0, or CUDA_ERROR_LAUNCH_FAILED.
 */
int machineLaunch(const struct machine_function *function,
                  const unsigned grid[3], unsigned block, unsigned cluster,
                  unsigned shared, void **parameters);

#endif
