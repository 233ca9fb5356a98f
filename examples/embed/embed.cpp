// lot-embed FILE: says what lot.attention is in a module and lowers it to
// linalg.

#include "lot/InitAll.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

int main(int argc, char **argv) {
  if (argc != 2) {
    llvm::errs() << "usage: lot-embed FILE\n";
    return 2;
  }
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  lot::registerAllDialects(registry);
  MLIRContext context(registry);
  auto module = parseSourceFile<ModuleOp>(argv[1], &context);
  if (!module)
    return 1;
  module->walk([](lot::AttentionOp op) {
    llvm::errs() << op.getNumPivots() << " pivots, " << op.getHalfSteps()
                 << " half-steps\n";
  });
  PassManager passes(&context);
  lot::buildLotToLinalgPipeline(passes, {});
  if (failed(passes.run(*module)))
    return 1;
  module->print(llvm::outs());
  return 0;
}
