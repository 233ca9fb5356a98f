/*===- fake_cuda_machine.c - Kernels of the tests' driver ---------*- C -*-===*\
|*                                                                            *|
|* Part of the lot project, under the Apache License v2.0 with LLVM           *|
|* Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception        *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#define _GNU_SOURCE
#include "fake_cuda_machine.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  kAlignment = 256,
  kMaxModules = 64,
  kMaxParameters = 512,
  kLaunchFailed = 719
};

/* Pages that nobody touches cost nothing. */
static const size_t memoryBytes = (size_t)1 << 30;

struct machine_function {
  const char *name;
  int module;
  int numParameters;
  size_t sizes[kMaxParameters];
};

static char *memory;
static size_t taken;
static FILE *commands, *replies;
static const char *modules[kMaxModules];
static int numModules;

int machineIsGiven(void) { return getenv("FAKE_CUDA_MACHINE") != NULL; }

/* Aborts where the system denies what the tests need. */
static void expect(int holds, const char *what) {
  if (holds)
    return;
  perror(what);
  abort();
}

static void start(void) {
  char shell[] = "sh", option[] = "-c";
  char *arguments[] = {shell, option, getenv("FAKE_CUDA_MACHINE"), NULL};
  extern char **environ;
  int file, to[2], from[2];
  pid_t process;
  posix_spawn_file_actions_t actions;
  if (memory)
    return;
  file = memfd_create("fake-cuda", 0); /* the process inherits it */
  expect(file >= 0 && !ftruncate(file, memoryBytes), "memfd_create");
  memory = mmap(NULL, memoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  expect(memory != MAP_FAILED, "mmap");
  expect(!pipe2(to, O_CLOEXEC) && !pipe2(from, O_CLOEXEC), "pipe2");
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], 0);
  posix_spawn_file_actions_adddup2(&actions, from[1], 1);
  expect(!posix_spawnp(&process, "sh", &actions, NULL, arguments, environ),
         "posix_spawnp");
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  commands = fdopen(to[1], "w");
  replies = fdopen(from[0], "r");
  fprintf(commands, "memory %d %zu %zu\n", file, (size_t)memory, memoryBytes);
}

void *machineAllocate(size_t bytes) {
  char *block;
  size_t whole = (bytes + 2 * kAlignment - 1) / kAlignment * kAlignment;
  start();
  if (taken + whole > memoryBytes)
    return NULL;
  block = memory + taken;
  taken += whole; /* never used again: late accesses are found */
  fprintf(commands, "allocate %zu %zu\n", (size_t)block + kAlignment, bytes);
  return block;
}

void machineFree(void *block) {
  fprintf(commands, "free %zu\n", (size_t)block + kAlignment);
}

/*--- Code -------------------------------------------------------------------*/

static int moduleNumber(const char *ptx) {
  int i;
  for (i = 0; i < numModules; ++i)
    if (modules[i] == ptx)
      return i;
  expect(numModules < kMaxModules, "too many modules");
  fprintf(commands, "module %d %zu\n%s", numModules, strlen(ptx), ptx);
  modules[numModules] = ptx;
  return numModules++;
}

/* The next line; "" where the process has ended. */
static const char *reply(void) {
  static char line[8 * kMaxParameters];
  fflush(commands);
  return fgets(line, sizeof(line), replies) ? line : "";
}

struct machine_function *machineFunction(const char *ptx, const char *name) {
  struct machine_function *function;
  const char *at;
  char *end;
  start();
  function = calloc(1, sizeof(*function));
  function->module = moduleNumber(ptx);
  function->name = strdup(name);
  fprintf(commands, "function %d %s\n", function->module, name);
  for (at = reply();; at = end) {
    size_t size = strtoul(at, &end, 10);
    if (end == at)
      break;
    expect(function->numParameters < kMaxParameters && size <= 8, "parameters");
    function->sizes[function->numParameters++] = size;
  }
  return function->numParameters ? function : NULL;
}

int machineLaunch(const struct machine_function *function,
                  const unsigned grid[3], unsigned block, unsigned cluster,
                  unsigned shared, void **parameters) {
  int i;
  expect(grid[2] == 1, "a grid of one or two dimensions");
  fprintf(commands, "launch %d %s %u %u %u %u %u", function->module,
          function->name, grid[0], grid[1], block, cluster, shared);
  for (i = 0; i < function->numParameters; ++i) {
    uint64_t value = 0;
    memcpy(&value, parameters[i], function->sizes[i]);
    fprintf(commands, " %llu", (unsigned long long)value);
  }
  fprintf(commands, "\n");
  return strcmp(reply(), "done\n") ? kLaunchFailed : 0;
}
