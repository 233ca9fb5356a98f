/* REQUIRES: lot-capi-ir-test
   RUN: lot-capi-ir-test 2>&1 | FileCheck %s

   The dialect from C: handle, attributes, passes by name and one by one, the
   transform ops. */

#include "lot-c/Attributes.h"
#include "lot-c/Dialects.h"
#include "lot-c/Passes.h"

#include "mlir-c/BuiltinAttributes.h"
#include "mlir-c/Diagnostics.h"
#include "mlir-c/Pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MlirStringRef string(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

static void print(MlirStringRef text, void *data) {
  (void)data;
  fwrite(text.data, 1, text.length, stdout);
}

static void show(const char *what, MlirAttribute attr) {
  printf("%s: ", what);
  mlirAttributePrint(attr, print, NULL);
  printf("\n");
}

static MlirLogicalResult report(MlirDiagnostic diagnostic, void *data) {
  (void)data;
  printf("diagnostic: ");
  mlirDiagnosticPrint(diagnostic, print, NULL);
  printf("\n");
  return mlirLogicalResultSuccess();
}

static MlirModule parse(MlirContext context, const char *text) {
  MlirModule module = mlirModuleCreateParse(context, string(text));
  if (mlirModuleIsNull(module)) {
    printf("FAILED: the module does not parse\n");
    exit(1);
  }
  return module;
}

static void run(MlirPassManager pm, MlirModule module) {
  MlirLogicalResult result =
      mlirPassManagerRunOnOp(pm, mlirModuleGetOperation(module));
  printf("passes: %s\n",
         mlirLogicalResultIsSuccess(result) ? "succeeded" : "failed");
  mlirOperationPrint(mlirModuleGetOperation(module), print, NULL);
  printf("\n");
  mlirPassManagerDestroy(pm);
  mlirModuleDestroy(module);
}

/* The handle alone: the dialect without external models. */
static void handle(void) {
  MlirContext plain = mlirContextCreate();
  MlirDialectHandle lot = mlirGetDialectHandle__lot__();
  MlirStringRef name = mlirDialectHandleGetNamespace(lot);
  // CHECK: handle of lot
  printf("handle of %.*s\n", (int)name.length, name.data);
  MlirDialect dialect = mlirDialectHandleLoadDialect(lot, plain);
  // CHECK-NEXT: loaded 1
  printf("loaded %d\n", !mlirDialectIsNull(dialect));
  mlirContextDestroy(plain);
}

static void attributes(MlirContext context) {
  MlirAttribute attr = lotNormalizationAttrGet(context, LotNormalizationRowSum);
  // CHECK: normalization: #lot.normalization<row_sum>
  show("normalization", attr);
  // CHECK-NEXT: is normalization 1, marginal 0, value 1
  printf("is normalization %d, marginal %d, value %d\n",
         lotAttributeIsANormalization(attr), lotAttributeIsAMarginal(attr),
         lotNormalizationAttrGetValue(attr));

  attr = mlirAttributeParseGet(context, string("#lot.marginal<pivots>"));
  // CHECK-NEXT: marginal 1, the same 1
  printf("marginal %d, the same %d\n", lotMarginalAttrGetValue(attr),
         mlirAttributeEqual(attr, lotMarginalAttrGet(context, LotMarginalPivots)));

  attr = lotDomainAttrGet(context, LotDomainScaling);
  // CHECK-NEXT: domain: #lot.domain<scaling>
  show("domain", attr);
  // CHECK-NEXT: is domain 1, value 1
  printf("is domain %d, value %d\n", lotAttributeIsADomain(attr),
         lotDomainAttrGetValue(attr));

  MlirLocation here = mlirLocationUnknownGet(context);
  attr = lotCPUScheduleAttrGetChecked(here, 32, 8, 4, 2,
                                      LotFactorStorageRecomputed);
  // CHECK-NEXT: schedule: #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2, factor = recomputed>
  show("schedule", attr);
  // CHECK-NEXT: is schedule 1: 32 8 4 2 1
  printf("is schedule %d: %d %d %d %d %d\n", lotAttributeIsACPUSchedule(attr),
         (int)lotCPUScheduleAttrGetTokenTile(attr),
         (int)lotCPUScheduleAttrGetLanes(attr),
         (int)lotCPUScheduleAttrGetRowBlock(attr),
         (int)lotCPUScheduleAttrGetVectorBlock(attr),
         (int)lotCPUScheduleAttrGetFactor(attr));
  // CHECK-NEXT: diagnostic: {{.*}}expected token_tile to be a positive multiple of lanes
  attr = lotCPUScheduleAttrGetChecked(here, 33, 8, 4, 2,
                                      LotFactorStorageStored);
  // CHECK-NEXT: no schedule 1
  printf("no schedule %d\n", mlirAttributeIsNull(attr));
}

static const char *kSolve =
    "func.func @solve(%L: tensor<6x3xf32>, %i: tensor<3xf32>)\n"
    "    -> (tensor<3xf32>, tensor<3xf32>) {\n"
    "  %r:2 = lot.pivot_solve first<tokens> half_steps(6)\n"
    "      ins(%L : tensor<6x3xf32>) outs(%i, %i : tensor<3xf32>, tensor<3xf32>)\n"
    "      -> tensor<3xf32>, tensor<3xf32>\n"
    "  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>\n"
    "}\n";

int main(void) {
  handle();

  MlirDialectRegistry registry = mlirDialectRegistryCreate();
  lotRegisterEverything(registry);
  MlirContext context = mlirContextCreateWithRegistry(registry, true);
  mlirContextAttachDiagnosticHandler(context, report, NULL, NULL);
  attributes(context);

  // A pass by itself.
  // CHECK: passes: succeeded
  // CHECK: scf.for
  // CHECK: lot.sweep
  MlirPassManager pm = mlirPassManagerCreate(context);
  mlirPassManagerAddOwnedPass(pm, mlirCreateLotLotExpandSolve());
  run(pm, parse(context, kSolve));

  // A pipeline by name; registering twice is harmless.
  // CHECK: passes: succeeded
  // CHECK-NOT: lot.
  // CHECK: linalg.generic
  lotRegisterAllPasses();
  lotRegisterAllPasses();
  pm = mlirPassManagerCreate(context);
  if (mlirLogicalResultIsFailure(mlirOpPassManagerAddPipeline(
          mlirPassManagerGetAsOpPassManager(pm), string("lot-to-linalg"), print,
          NULL)))
    return 1;
  run(pm, parse(context, kSolve));

  // CHECK: transform: transform.lot.set_schedule
  MlirModule module = parse(
      context,
      "module attributes {transform.with_named_sequence} {\n"
      "transform.named_sequence @__transform_main(\n"
      "    %root: !transform.any_op {transform.readonly}) {\n"
      "  transform.lot.set_schedule %root schedule(#lot.cpu_schedule<\n"
      "      token_tile = 8, lanes = 8, row_block = 4, vector_block = 2>)\n"
      "      : !transform.any_op\n"
      "  transform.yield\n"
      "}\n"
      "}\n");
  MlirBlock body = mlirModuleGetBody(module);
  MlirRegion region =
      mlirOperationGetRegion(mlirBlockGetFirstOperation(body), 0);
  MlirOperation first =
      mlirBlockGetFirstOperation(mlirRegionGetFirstBlock(region));
  printf("transform: ");
  mlirOperationPrint(first, print, NULL);
  printf("\n");
  mlirModuleDestroy(module);
  mlirContextDestroy(context);
  mlirDialectRegistryDestroy(registry);
  return 0;
}
