/* lot-capi FILE: lowers a module to linalg through the C API and prints it. */

#include "lot-c/Attributes.h"
#include "lot-c/Dialects.h"
#include "lot-c/Passes.h"

#include "mlir-c/IR.h"
#include "mlir-c/Pass.h"

#include <stdio.h>
#include <stdlib.h>

static void print(MlirStringRef text, void *file) {
  fwrite(text.data, 1, text.length, file);
}

int main(int argc, char **argv) {
  static char text[1 << 20];
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!file) {
    fprintf(stderr, "usage: lot-capi FILE\n");
    return 2;
  }
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);

  MlirDialectRegistry registry = mlirDialectRegistryCreate();
  lotRegisterEverything(registry);
  lotRegisterAllPasses();
  MlirContext context = mlirContextCreateWithRegistry(registry, true);
  MlirAttribute normalization =
      lotNormalizationAttrGet(context, LotNormalizationRowSum);
  mlirAttributePrint(normalization, print, stderr);
  fprintf(stderr, "\n");
  MlirModule module =
      mlirModuleCreateParse(context, mlirStringRefCreate(text, length));
  if (mlirModuleIsNull(module))
    return 1;
  MlirPassManager passes = mlirPassManagerCreate(context);
  MlirOpPassManager pipeline = mlirPassManagerGetAsOpPassManager(passes);
  MlirStringRef name = mlirStringRefCreateFromCString("lot-to-linalg");
  MlirOperation op = mlirModuleGetOperation(module);
  int failed =
      mlirLogicalResultIsFailure(
          mlirOpPassManagerAddPipeline(pipeline, name, print, stderr)) ||
      mlirLogicalResultIsFailure(mlirPassManagerRunOnOp(passes, op));
  if (!failed)
    mlirOperationPrint(op, print, stdout);
  mlirPassManagerDestroy(passes);
  mlirModuleDestroy(module);
  mlirContextDestroy(context);
  mlirDialectRegistryDestroy(registry);
  return failed;
}
