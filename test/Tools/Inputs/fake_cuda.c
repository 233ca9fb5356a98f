/*===- fake_cuda.c - A CUDA driver for tests without a GPU --------*- C -*-===*\
|*                                                                            *|
|* Part of the lot project, under the Apache License v2.0 with LLVM           *|
|* Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception        *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* A libcuda.so.1 whose device memory is the host's. It runs two kernels that *|
|* it knows by name, or any by a machine (fake_cuda_machine.h), notes what is *|
|* called in the file FAKE_CUDA_LOG, and fails as FAKE_CUDA says, a list of   *|
|* words:                                                                     *|
|*   FUNCTION=CODE   that function fails                                      *|
|*   version=12020   the driver's CUDA version                                *|
|*   ptx=85          the latest PTX that it reads                             *|
|*   cc=75           the GPU's compute capability                             *|
|*   count=0         the number of GPUs                                       *|
|*   multiprocessors=4  of the GPU                                            *|
|*   memory=1000     bytes of device memory                                   *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "fake_cuda_machine.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Result;

/* The number after WORD= in FAKE_CUDA. */
static int setting(const char *word, int otherwise) {
  const char *at = getenv("FAKE_CUDA");
  size_t length = strlen(word);
  while (at && (at = strstr(at, word))) {
    if (at[length] == '=')
      return atoi(at + length + 1);
    at += length;
  }
  return otherwise;
}

static void note(const char *format, ...) {
  const char *path = getenv("FAKE_CUDA_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  va_list list;
  if (!file)
    return;
  va_start(list, format);
  vfprintf(file, format, list);
  va_end(list);
  fclose(file);
}

#define MAY_FAIL()                                                             \
  do {                                                                         \
    Result code = setting(__func__, 0);                                        \
    if (code)                                                                  \
      return code;                                                             \
  } while (0)

Result cuDriverGetVersion(int *version) {
  *version = setting("version", 13000);
  return 0;
}

Result cuInit(unsigned flags) {
  (void)flags;
  MAY_FAIL();
  return 0;
}

Result cuGetErrorName(Result code, const char **name) {
  *name = code == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == 100 ? "CUDA_ERROR_NO_DEVICE"
          : code == 222 ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
          : code == 500 ? "CUDA_ERROR_NOT_FOUND"
          : code == 701 ? "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"
          : code == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
                        : NULL;
  return *name ? 0 : 1;
}

Result cuGetErrorString(Result code, const char **text) {
  *text = code == 2     ? "out of memory"
          : code == 701 ? "too many resources requested for launch"
                        : NULL;
  return *text ? 0 : 1;
}

/*--- Devices and contexts ---------------------------------------------------*/

Result cuDeviceGetCount(int *count) {
  *count = setting("count", 1);
  return 0;
}

Result cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return 0;
}

Result cuDeviceGetName(char *name, int size, int device) {
  snprintf(name, size, "Fake GPU %d", device);
  return 0;
}

Result cuDeviceGetAttribute(int *value, int attribute, int device) {
  int capability = setting("cc", 90);
  (void)device;
  *value = attribute == 75   ? capability / 10
           : attribute == 16 ? setting("multiprocessors", 132)
                             : capability % 10;
  return 0;
}

static _Thread_local void *current;

Result cuDevicePrimaryCtxRetain(void **context, int device) {
  MAY_FAIL();
  *context = (void *)(intptr_t)(0x100 + device);
  return 0;
}

Result cuCtxGetCurrent(void **context) {
  *context = current;
  return 0;
}

Result cuCtxPushCurrent_v2(void *context) {
  current = context;
  return 0;
}

Result cuCtxPopCurrent_v2(void **context) {
  *context = current;
  current = NULL;
  return 0;
}

/*--- Memory -----------------------------------------------------------------*/

static size_t taken, blocks;

Result cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
  size_t *block;
  MAY_FAIL();
  if (!current)
    return 201;
  if (taken + bytes > (size_t)setting("memory", 1 << 30))
    return 2;
  /* The size comes before what is handed out. */
  block = machineIsGiven()
              ? machineAllocate(bytes)
              : aligned_alloc(256, (bytes + 511) / 256 * 256 + 256);
  if (!block)
    return 2;
  *block = bytes;
  memset((char *)block + 256, 0xff, bytes); /* NaN until it is written */
  taken += bytes;
  ++blocks;
  note("alloc %zu\n", bytes);
  *pointer = (uint64_t)(uintptr_t)block + 256;
  return 0;
}

Result cuMemFree_v2(uint64_t pointer) {
  size_t *block = (size_t *)(uintptr_t)(pointer - 256);
  taken -= *block;
  if (machineIsGiven())
    machineFree(block);
  else
    free(block);
  if (--blocks == 0)
    note("all freed\n");
  return 0;
}

Result cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  MAY_FAIL();
  memcpy((void *)(uintptr_t)to, from, bytes);
  return 0;
}

Result cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes,
                            void *stream) {
  (void)stream;
  memcpy(to, (void *)(uintptr_t)from, bytes);
  return 0;
}

Result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes,
                            void *stream) {
  note("copy %zu stream %p\n", bytes, stream);
  memcpy((void *)(uintptr_t)to, (void *)(uintptr_t)from, bytes);
  return 0;
}

Result cuStreamSynchronize(void *stream) {
  (void)stream;
  MAY_FAIL();
  return 0;
}

Result cuThreadExchangeStreamCaptureMode(int *mode) {
  static _Thread_local int now;
  int before = now;
  now = *mode;
  *mode = before;
  return 0;
}

Result cuEventCreate(void **event, unsigned flags) {
  (void)flags;
  *event = event;
  return 0;
}
Result cuEventDestroy_v2(void *event) { return event ? 0 : 1; }
Result cuEventRecord(void *event, void *stream) {
  (void)stream;
  return event ? 0 : 1;
}
Result cuEventSynchronize(void *event) { return event ? 0 : 1; }
Result cuEventElapsedTime(float *milliseconds, void *from, void *to) {
  *milliseconds = 0.25f;
  return from && to ? 0 : 1;
}

/*--- Code -------------------------------------------------------------------*/

struct link {
  char *cubin;
};

/* As the driver does it: by the version that the PTX names. */
static Result readPTX(const char *ptx) {
  const char *version = strstr(ptx, ".version ");
  if (!version)
    return 218;
  if (atoi(version + 9) * 10 + atoi(strchr(version, '.') + 1) < 0)
    return 218;
  {
    int major, minor;
    if (sscanf(version, ".version %d.%d", &major, &minor) != 2)
      return 218;
    return major * 10 + minor > setting("ptx", 90) ? 222 : 0;
  }
}

Result cuLinkCreate_v2(unsigned count, int *names, void **values,
                       void **state) {
  unsigned i;
  MAY_FAIL();
  if (!current)
    return 201; /* CUDA_ERROR_INVALID_CONTEXT */
  for (i = 0; i < count; ++i)
    if (names[i] == 7)
      note("compile at level %d\n", (int)(intptr_t)values[i]);
  *state = calloc(1, sizeof(struct link));
  return 0;
}

Result cuLinkAddData_v2(void *state, int type, void *data, size_t size,
                        const char *name, unsigned count, int *names,
                        void **values) {
  struct link *link = state;
  Result code = type == 1 && !((char *)data)[size - 1] ? readPTX(data) : 1;
  (void)name, (void)count, (void)names, (void)values;
  if (code)
    return code;
  link->cubin = malloc(size + 4);
  memcpy(link->cubin, "\177ELF", 4);
  memcpy(link->cubin + 4, data, size);
  return 0;
}

Result cuLinkComplete(void *state, void **cubin, size_t *size) {
  struct link *link = state;
  *cubin = link->cubin;
  *size = 4 + strlen(link->cubin + 4) + 1;
  return 0;
}

Result cuLinkDestroy(void *state) {
  free(((struct link *)state)->cubin);
  free(state);
  return 0;
}

Result cuModuleLoadDataEx(void **module, const void *image, unsigned count,
                          int *names, void **values) {
  const char *text = image;
  int isPTX = memcmp(text, "\177ELF", 4) != 0;
  unsigned i;
  MAY_FAIL();
  if (!current)
    return 201; /* CUDA_ERROR_INVALID_CONTEXT */
  note("load %s\n", isPTX ? "PTX" : "cubin");
  if (isPTX && readPTX(text)) {
    for (i = 0; i < count; ++i)
      if (names[i] == 5)
        strcpy(values[i], "ptxas says no\n");
    return readPTX(text);
  }
  *module = strdup(isPTX ? text : text + 4);
  return 0;
}

struct function {
  char name[256];
  struct machine_function *machine; /* NULL where there is no machine */
};

Result cuModuleGetFunction(void **handle, void *module, const char *name) {
  char entry[256];
  struct function *function;
  snprintf(entry, sizeof(entry), ".entry %s(", name);
  if (!strstr(module, entry))
    return 500;
  *handle = function = calloc(1, sizeof(*function));
  strncpy(function->name, name, sizeof(function->name) - 1);
  if (machineIsGiven() && !(function->machine = machineFunction(module, name)))
    return 500;
  return 0;
}

Result cuFuncGetAttribute(int *value, int attribute, void *function) {
  (void)function;
  *value = attribute == 8 ? 48 * 1024 : attribute == 4 ? 32 : 0;
  return 0;
}

Result cuFuncSetAttribute(void *function, int attribute, int value) {
  MAY_FAIL();
  if (attribute == 8)
    note("allow %s %d bytes\n", ((struct function *)function)->name, value);
  return 0;
}

struct config {
  unsigned grid[3], block[3], shared;
  void *stream;
  struct attribute {
    int id;
    char padding[4];
    union {
      char bytes[64];
      unsigned cluster[3];
      int cooperative;
      int programmatic;
    } value;
  } *attributes;
  unsigned numAttributes;
};

/* A memref<?xf32> among the parameters: five words from `at`. */
static float *at(void **parameters, int position) {
  float *data = *(float **)parameters[position + 1];
  return data + *(int64_t *)parameters[position + 2];
}

Result cuLaunchKernelEx(const struct config *config, void *handle,
                        void **parameters, void **extra) {
  const struct function *function = handle;
  const char *name = function->name;
  unsigned i, cluster = 1;
  MAY_FAIL();
  if (!current || extra)
    return 201;
  note("launch %s grid %u %u %u block %u %u %u shared %u stream %p", name,
       config->grid[0], config->grid[1], config->grid[2], config->block[0],
       config->block[1], config->block[2], config->shared, config->stream);
  for (i = 0; i < config->numAttributes; ++i)
    if (config->attributes[i].id == 4) {
      cluster = config->attributes[i].value.cluster[0];
      note(" cluster %u %u %u", config->attributes[i].value.cluster[0],
           config->attributes[i].value.cluster[1],
           config->attributes[i].value.cluster[2]);
    } else if (config->attributes[i].id == 2) {
      note(" cooperative %d", config->attributes[i].value.cooperative);
    } else if (config->attributes[i].id == 6) {
      note(" programmatic %d", config->attributes[i].value.programmatic);
    }
  note("\n");
  if (function->machine)
    return machineLaunch(function->machine, config->grid, config->block[0],
                         cluster, config->shared, parameters);
  /* scale(x, y, factor) and add(x, y, z), on x's size. */
  {
    int64_t n = *(int64_t *)parameters[3], stride = *(int64_t *)parameters[4];
    float *x = at(parameters, 0), *y = at(parameters, 5);
    int64_t j;
    for (j = 0; j < n; ++j)
      if (!strcmp(name, "scale"))
        y[j] = x[j * stride] * *(float *)parameters[10];
      else if (!strcmp(name, "add"))
        at(parameters, 10)[j] = x[j * stride] + y[j];
  }
  return 0;
}
