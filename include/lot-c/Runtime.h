/*===- lot-c/Runtime.h - C API of the runtime ---------------------*- C -*-===*\
|*                                                                            *|
|* Part of the lot project, under the Apache License v2.0 with LLVM          *|
|* Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception       *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef LOT_C_RUNTIME_H
#define LOT_C_RUNTIME_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Functions that can fail return false (or a null object) and, where `error` is
   not NULL, set *error to a message that lotStringDestroy frees. */

typedef enum LotDType {
  LotDTypeF16 = 0,
  LotDTypeBF16,
  LotDTypeF32,
  LotDTypeF64,
  LotDTypeI1, /* one byte */
  LotDTypeI8,
  LotDTypeI16,
  LotDTypeI32,
  LotDTypeI64,
  LotDTypeIndex
} LotDType;

/* A size or stride that is known only when the function is called. */
#define LOT_DYNAMIC INT64_MIN

typedef struct LotExecutable {
  void *ptr;
} LotExecutable;

/* A row-major tensor that owns its memory. */
typedef struct LotTensor {
  void *ptr;
} LotTensor;

/* What a function expects of an argument or promises of a result. The pointers
   live as long as the executable. */
typedef struct LotTensorType {
  LotDType dtype;
  intptr_t rank;
  const int64_t *shape;   /* LOT_DYNAMIC where any size is taken */
  const int64_t *strides; /* in elements, LOT_DYNAMIC where any is taken;
                             NULL: row-major without gaps */
  bool scalar;            /* a number, passed as a tensor of rank 0 */
  bool writable;          /* a memref that the function may write to */
} LotTensorType;

/* Memory that belongs to the caller. */
typedef struct LotTensorRef {
  void *data;
  LotDType dtype;
  intptr_t rank;
  const int64_t *shape;
  const int64_t *strides; /* in elements; NULL: row-major without gaps */
} LotTensorRef;

typedef struct LotCompileOptions {
  const char *cpu; /* as clang names it; "native" or NULL: this one */
  bool openmp;     /* spread work over OpenMP threads */
  bool verify;     /* check dynamic shapes at run time */
  unsigned optLevel;
  bool cache; /* use the folder of compiled code that LOT_CACHE_DIR names */
  const char *target; /* "cpu" (or NULL), or "cuda" */
  const char *chip;   /* GPU as LLVM names it (sm_90a); NULL: this machine's */
} LotCompileOptions;

/* Seconds of each phase. */
typedef struct LotCompileTimings {
  double lower, translate, optimize, codegen, load;
} LotCompileTimings;

MLIR_CAPI_EXPORTED LotCompileOptions lotCompileOptionsDefault(void);

/* Compiles every public function of the module, which stays as it is. Null
   (lotExecutableIsNull) on failure. */
MLIR_CAPI_EXPORTED LotExecutable lotExecutableCompile(
    MlirModule module, const LotCompileOptions *options, char **error);
/* The same from IR text (or bytecode), in a context of its own. May be called
   by several threads at once. */
MLIR_CAPI_EXPORTED LotExecutable lotExecutableCompileText(
    MlirStringRef text, const LotCompileOptions *options, char **error);
MLIR_CAPI_EXPORTED bool lotExecutableIsNull(LotExecutable executable);
MLIR_CAPI_EXPORTED void lotExecutableDestroy(LotExecutable executable);
MLIR_CAPI_EXPORTED LotCompileTimings
lotExecutableGetTimings(LotExecutable executable);
/* Whether the code came from the cache folder. */
MLIR_CAPI_EXPORTED bool lotExecutableIsCached(LotExecutable executable);
/* A warning for the user: what kept the cache folder from working, an
   OMP_NUM_THREADS that had to be ignored. Mostly empty; lives as long as the
   executable. */
MLIR_CAPI_EXPORTED MlirStringRef
lotExecutableGetWarning(LotExecutable executable);

/* The functions that can be called, in the order of the module. */
MLIR_CAPI_EXPORTED intptr_t
lotExecutableGetNumFunctions(LotExecutable executable);
MLIR_CAPI_EXPORTED MlirStringRef
lotExecutableGetFunctionName(LotExecutable executable, intptr_t function);
/* The position of the function of that name, -1 when there is none. */
MLIR_CAPI_EXPORTED intptr_t lotExecutableFindFunction(LotExecutable executable,
                                                      MlirStringRef name);
MLIR_CAPI_EXPORTED intptr_t
lotExecutableGetNumArguments(LotExecutable executable, intptr_t function);
MLIR_CAPI_EXPORTED intptr_t lotExecutableGetNumResults(LotExecutable executable,
                                                       intptr_t function);
MLIR_CAPI_EXPORTED LotTensorType lotExecutableGetArgument(
    LotExecutable executable, intptr_t function, intptr_t position);
MLIR_CAPI_EXPORTED LotTensorType lotExecutableGetResult(
    LotExecutable executable, intptr_t function, intptr_t position);

/* Checks the arguments and runs the function. `threads` < 0 is an error, 0
   takes OpenMP's default. `results` has room for lotExecutableGetNumResults
   tensors, which the caller destroys. May be called by several threads at once;
   needs no lock (Python: release the GIL). */
MLIR_CAPI_EXPORTED bool lotExecutableInvoke(LotExecutable executable,
                                            intptr_t function, intptr_t numArgs,
                                            const LotTensorRef *args,
                                            int threads, LotTensor *results,
                                            char **error);

/* Where a call of code for the target cuda runs. */
typedef struct LotCudaCall {
  int device;   /* the driver's number of the GPU */
  void *stream; /* CUstream, NULL: the default one */
  /* Returns device memory for what the function allocates, aligned to 256
     bytes, which may be used again by work that is put into the stream later;
     NULL when there is none. Not called when 0 bytes are needed. */
  void *(*allocate)(int64_t bytes, void *user);
  void *user;
} LotCudaCall;

/* Checks the arguments, which are in device memory (numbers in host memory),
   puts the function into the stream and does not wait for it. Functions that
   return tensors are refused: give them memrefs to write to. */
MLIR_CAPI_EXPORTED bool
lotExecutableInvokeOnCuda(LotExecutable executable, intptr_t function,
                          intptr_t numArgs, const LotTensorRef *args,
                          const LotCudaCall *call, char **error);
/* The bytes that such a call asks `allocate` for; -1 on failure. */
MLIR_CAPI_EXPORTED int64_t lotExecutableGetWorkspaceBytes(
    LotExecutable executable, intptr_t function, intptr_t numArgs,
    const LotTensorRef *args, char **error);
/* The GPU as LLVM names it; lotStringDestroy frees it. NULL on failure. */
MLIR_CAPI_EXPORTED char *lotCudaGetChip(int device, char **error);

/* How many f32 values the residuals of a lot.attention on a GPU have: the one
   number for each query head and the other for each head of the pivots, of
   every batch entry. */
typedef struct LotCudaResiduals {
  int64_t perQueryHead, perPivotHead;
} LotCudaResiduals;
MLIR_CAPI_EXPORTED LotCudaResiduals lotCudaGetResiduals(int64_t numPivots,
                                                        int64_t valueDim,
                                                        int64_t halfSteps,
                                                        bool rowSum);

/* The memory stays the tensor's; strides is NULL (row-major). */
MLIR_CAPI_EXPORTED LotTensorRef lotTensorGetRef(LotTensor tensor);
MLIR_CAPI_EXPORTED void lotTensorDestroy(LotTensor tensor);

MLIR_CAPI_EXPORTED void lotStringDestroy(char *string);

#ifdef __cplusplus
}
#endif

#endif /* LOT_C_RUNTIME_H */
