/* REQUIRES: lot-capi-test
   RUN: lot-capi-test 2>&1 | FileCheck %s

   Compiles from C, asks for signatures, calls, and calls from several threads
   at once. */

#include "lot-c/Runtime.h"
#include "lot-c/Dialects.h"
#include "lot-c/Passes.h"

#include "mlir-c/Pass.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *kModule =
    "func.func @scale(%x: tensor<?x3xf32>, %s: f32)\n"
    "    -> tensor<?x3xf32> {\n"
    "  %r = linalg.generic {\n"
    "      indexing_maps = [affine_map<(i, j) -> ()>,\n"
    "                       affine_map<(i, j) -> (i, j)>],\n"
    "      iterator_types = [\"parallel\", \"parallel\"]}\n"
    "      ins(%s : f32) outs(%x : tensor<?x3xf32>) {\n"
    "  ^bb0(%a: f32, %b: f32):\n"
    "    %p = arith.mulf %a, %b : f32\n"
    "    linalg.yield %p : f32\n"
    "  } -> tensor<?x3xf32>\n"
    "  return %r : tensor<?x3xf32>\n"
    "}\n"
    "func.func @fill(%n: i64,\n"
    "                %x: memref<?x3xf64, strided<[?, 2], offset: ?>>) {\n"
    "  %zero = arith.constant 0 : i64\n"
    "  %ok = arith.cmpi sge, %n, %zero : i64\n"
    "  cf.assert %ok, \"expected a number of at least 0\"\n"
    "  %f = arith.sitofp %n : i64 to f64\n"
    "  linalg.fill ins(%f : f64)\n"
    "      outs(%x : memref<?x3xf64, strided<[?, 2], offset: ?>>)\n"
    "  return\n"
    "}\n"
    "func.func @hold(%n: index) -> tensor<?xf32> {\n"
    "  %f = arith.constant 1.0 : f32\n"
    "  %none = arith.constant 0 : index\n"
    "  %e = tensor.empty(%n) : tensor<?xf32>\n"
    "  %r = linalg.fill ins(%f : f32) outs(%e : tensor<?xf32>)\n"
    "      -> tensor<?xf32>\n"
    "  %one = tensor.extract %r[%none] : tensor<?xf32>\n"
    "  %ok = arith.cmpf olt, %one, %f : f32\n"
    "  cf.assert %ok, \"expected less than one\"\n"
    "  return %r : tensor<?xf32>\n"
    "}\n";

static void fail(const char *what) {
  fprintf(stderr, "FAILED: %s\n", what);
  exit(1);
}

/* Prints the error that a call must have set. */
static void expectError(bool ok, char *error) {
  if (ok || !error)
    fail("expected an error");
  printf("error: %s\n", error);
  lotStringDestroy(error);
}

static void printSpec(LotTensorType type) {
  printf(" dtype %d%s%s [", (int)type.dtype, type.scalar ? " number" : "",
         type.writable ? " writable" : "");
  for (intptr_t i = 0; i < type.rank; ++i)
    if (type.shape[i] == LOT_DYNAMIC)
      printf(" ?");
    else
      printf(" %d", (int)type.shape[i]);
  printf(" ]");
  for (intptr_t i = 0; type.strides && i < type.rank; ++i)
    if (type.strides[i] == LOT_DYNAMIC)
      printf(" ?");
    else
      printf(" %d", (int)type.strides[i]);
}

static void printSignatures(LotExecutable exe) {
  for (intptr_t f = 0; f < lotExecutableGetNumFunctions(exe); ++f) {
    MlirStringRef name = lotExecutableGetFunctionName(exe, f);
    printf("%.*s:", (int)name.length, name.data);
    for (intptr_t i = 0; i < lotExecutableGetNumArguments(exe, f); ++i)
      printSpec(lotExecutableGetArgument(exe, f, i));
    printf(" ->");
    for (intptr_t i = 0; i < lotExecutableGetNumResults(exe, f); ++i)
      printSpec(lotExecutableGetResult(exe, f, i));
    printf("\n");
  }
}

/* scale(x, s) on n rows; false when the result is wrong. */
static bool scale(LotExecutable exe, int64_t n, float factor, int threads) {
  intptr_t f =
      lotExecutableFindFunction(exe, mlirStringRefCreateFromCString("scale"));
  float *x = malloc(n * 3 * sizeof(float));
  for (int64_t i = 0; i < n * 3; ++i)
    x[i] = (float)i;
  int64_t shape[2] = {n, 3};
  LotTensorRef args[2] = {{x, LotDTypeF32, 2, shape, NULL},
                          {&factor, LotDTypeF32, 0, NULL, NULL}};
  LotTensor result;
  char *error = NULL;
  if (!lotExecutableInvoke(exe, f, 2, args, threads, &result, &error))
    fail(error);
  LotTensorRef ref = lotTensorGetRef(result);
  bool right = ref.dtype == LotDTypeF32 && ref.rank == 2 && ref.shape[0] == n &&
               ref.shape[1] == 3 && ref.data != x;
  for (int64_t i = 0; i < n * 3; ++i)
    right &= ((float *)ref.data)[i] == factor * (float)i && x[i] == (float)i;
  lotTensorDestroy(result);
  free(x);
  return right;
}

static LotExecutable shared;
static void *callOften(void *number) {
  intptr_t id = (intptr_t)number;
  intptr_t fill =
      lotExecutableFindFunction(shared, mlirStringRefCreateFromCString("fill"));
  for (int i = 0; i < 200; ++i) {
    if (!scale(shared, 50 + id, (float)(id + i), 1 + (int)id % 2))
      return (void *)1;
    /* A failing check of one thread must not disturb the others. */
    int64_t minus = -1;
    double x[6];
    int64_t shape[2] = {1, 3}, strides[2] = {6, 2};
    LotTensorRef args[2] = {{&minus, LotDTypeI64, 0, NULL, NULL},
                            {x, LotDTypeF64, 2, shape, strides}};
    char *error = NULL;
    if (lotExecutableInvoke(shared, fill, 2, args, 0, NULL, &error) || !error)
      return (void *)1;
    lotStringDestroy(error);
  }
  return NULL;
}

/* Writes through strides, in place. */
static void testFill(LotExecutable exe) {
  intptr_t f =
      lotExecutableFindFunction(exe, mlirStringRefCreateFromCString("fill"));
  double x[16];
  for (int i = 0; i < 16; ++i)
    x[i] = -1;
  int64_t seven = 7, shape[2] = {2, 3}, strides[2] = {8, 2};
  LotTensorRef args[2] = {{&seven, LotDTypeI64, 0, NULL, NULL},
                          {x + 1, LotDTypeF64, 2, shape, strides}};
  char *error = NULL;
  if (!lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error))
    fail(error);
  printf("filled:");
  for (int i = 0; i < 16; ++i)
    printf(" %g", x[i]);
  printf("\n");

  /* Backwards, which a stride of any sign allows. */
  int64_t back[2] = {-8, 2}, eight = 8;
  args[0].data = &eight;
  args[1].data = x + 8;
  args[1].strides = back;
  if (!lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error))
    fail(error);
  printf("filled back: %g %g %g\n", x[0], x[8], x[12]);

  int64_t minus = -1;
  args[0].data = &minus;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  args[0].data = &seven;
  int64_t dense[2] = {3, 1};
  args[1].strides = dense;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  args[1].strides = strides;
  args[1].data = (char *)x + 4;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  args[1].data = NULL;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  args[1].data = x;
  shape[1] = 4;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  shape[1] = 3;
  shape[0] = -2;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  shape[0] = 2;
  args[1].dtype = LotDTypeF32;
  expectError(lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error), error);
  args[1].dtype = LotDTypeF64;
  expectError(lotExecutableInvoke(exe, f, 1, args, 0, NULL, &error), error);
  expectError(lotExecutableInvoke(exe, f, 2, args, -1, NULL, &error), error);
  expectError(lotExecutableInvoke(exe, 9, 2, args, 0, NULL, &error), error);
  /* No element: no data needed. */
  shape[0] = 0;
  args[1].data = NULL;
  if (!lotExecutableInvoke(exe, f, 2, args, 0, NULL, &error))
    fail(error);
}

/* A call that fails gives back its memory: 4 MB in each of 100 calls. */
static void testLeak(LotExecutable exe) {
  intptr_t f = lotExecutableFindFunction(
      exe, mlirStringRefCreateFromCString("hold"));
  int64_t n = 1 << 20;
  LotTensorRef arg = {&n, LotDTypeIndex, 0, NULL, NULL};
  LotTensor result;
  struct rusage before, after;
  for (int i = 0; i < 110; ++i) {
    char *error = NULL;
    if (i == 10)
      getrusage(RUSAGE_SELF, &before);
    if (lotExecutableInvoke(exe, f, 1, &arg, 0, &result, &error))
      fail("expected an error");
    lotStringDestroy(error);
  }
  getrusage(RUSAGE_SELF, &after);
  printf("leak %d\n", after.ru_maxrss - before.ru_maxrss > 100 * 1024);
}

int main(void) {
  char *error = NULL;
  LotCompileOptions options = lotCompileOptionsDefault();
  LotExecutable exe = lotExecutableCompileText(
      mlirStringRefCreateFromCString(kModule), &options, &error);
  if (lotExecutableIsNull(exe))
    fail(error);
  // CHECK:      scale: dtype 2 [ ? 3 ] dtype 2 number [ ] -> dtype 2 [ ? 3 ]
  // CHECK-NEXT: fill: dtype 8 number [ ] dtype 3 writable [ ? 3 ] ? 2 ->
  // CHECK-NEXT: hold: dtype 9 number [ ] -> dtype 2 [ ? ]
  printSignatures(exe);
  LotCompileTimings t = lotExecutableGetTimings(exe);
  if (!(t.lower > 0 && t.translate > 0 && t.optimize > 0 && t.codegen > 0))
    fail("timings");

  // CHECK-NEXT: scaled 1 1 1
  printf("scaled %d", scale(exe, 4, 2.5f, 0));
  printf(" %d", scale(exe, 0, 2.5f, 1));
  printf(" %d\n", scale(exe, 1000, -1.0f, 3));

  // clang-format off
  // CHECK-NEXT: filled: -1 7 -1 7 -1 7 -1 -1 -1 7 -1 7 -1 7 -1 -1
  // CHECK-NEXT: filled back: 8 8 8
  // CHECK-NEXT: error: function 'fill': expected a number of at least 0
  // CHECK-NEXT: error: function 'fill', argument #1: expected strides [?, 2], got [3, 1]
  // CHECK-NEXT: error: function 'fill', argument #1: expected data aligned to 8 bytes, got an address that is 4 bytes off
  // CHECK-NEXT: error: function 'fill', argument #1: expected a pointer to the data, got null
  // CHECK-NEXT: error: function 'fill', argument #1: expected size 3 in dimension 1, got 4 (expected shape ?x3, got 2x4)
  // CHECK-NEXT: error: function 'fill', argument #1: expected sizes of at least 0, got -2x3
  // CHECK-NEXT: error: function 'fill', argument #1: expected element type f64, got f32
  // CHECK-NEXT: error: function 'fill': expected 2 arguments, got 1
  // CHECK-NEXT: error: expected at least 1 thread, got -1
  // CHECK-NEXT: error: expected a function from 0 to 2, got 9
  // clang-format on
  testFill(exe);
  printf("%d\n", (int)lotExecutableFindFunction(
                     exe, mlirStringRefCreateFromCString("none")));
  // CHECK-NEXT: -1

  testLeak(exe);
  // CHECK-NEXT: leak 0

  // CHECK-NEXT: threads 0 0 0 0
  shared = exe;
  pthread_t threads[4];
  for (intptr_t i = 0; i < 4; ++i)
    pthread_create(&threads[i], NULL, callOften, (void *)i);
  printf("threads");
  for (int i = 0; i < 4; ++i) {
    void *result;
    pthread_join(threads[i], &result);
    printf(" %d", result != NULL);
  }
  printf("\n");
  lotExecutableDestroy(exe);

  // A module of the caller's, which stays what it is; a bad one; bad options.
  // CHECK-NEXT: error: expected a module: {{.*}}
  // CHECK:      error: expected a processor name {{.*}} got 'z80'
  // CHECK-NEXT: error: expected an optimization level of 0 to 3, got 7
  exe = lotExecutableCompileText(mlirStringRefCreateFromCString("nonsense"),
                                 &options, &error);
  expectError(!lotExecutableIsNull(exe), error);
  options.cpu = "z80";
  exe = lotExecutableCompileText(mlirStringRefCreateFromCString(kModule),
                                 &options, &error);
  expectError(!lotExecutableIsNull(exe), error);
  options.cpu = NULL;
  options.optLevel = 7;
  exe = lotExecutableCompileText(mlirStringRefCreateFromCString(kModule),
                                 &options, &error);
  expectError(!lotExecutableIsNull(exe), error);

  MlirDialectRegistry registry = mlirDialectRegistryCreate();
  lotRegisterEverything(registry);
  lotRegisterAllPasses();
  lotRegisterAllPasses();
  MlirContext context = mlirContextCreateWithRegistry(registry, false);
  mlirDialectRegistryDestroy(registry);
  mlirContextGetOrLoadDialect(context, mlirStringRefCreateFromCString("lot"));
  MlirModule module =
      mlirModuleCreateParse(context, mlirStringRefCreateFromCString(kModule));
  if (mlirModuleIsNull(module))
    fail("parse");
  MlirOperation op = mlirModuleGetOperation(module);
  for (int round = 0; round < 2; ++round) {
    exe = lotExecutableCompile(module, NULL, &error);
    if (lotExecutableIsNull(exe))
      fail(error);
    printf("module %d %d\n", mlirOperationVerify(op), scale(exe, 5, 3.0f, 0));
    lotExecutableDestroy(exe);
  }
  // CHECK-NEXT: module 1 1
  // CHECK-NEXT: module 1 1

  // The passes are known by name; the dialect has its handle.
  // CHECK-NEXT: lot 1
  MlirPassManager passes = mlirPassManagerCreate(context);
  bool parsed = mlirLogicalResultIsSuccess(mlirOpPassManagerAddPipeline(
      mlirPassManagerGetAsOpPassManager(passes),
      mlirStringRefCreateFromCString("lot-to-linalg"), NULL, NULL));
  MlirStringRef name =
      mlirDialectHandleGetNamespace(mlirGetDialectHandle__lot__());
  printf("%.*s %d\n", (int)name.length, name.data, parsed);
  mlirPassManagerDestroy(passes);
  mlirModuleDestroy(module);
  mlirContextDestroy(context);

  // CHECK-NEXT: done
  printf("done\n");
  return 0;
}
