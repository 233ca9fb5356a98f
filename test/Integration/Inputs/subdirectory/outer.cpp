// Uses a library of lot and its headers, generated ones too.

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

int main() {
  MLIRContext context;
  context.loadDialect<arith::ArithDialect, math::MathDialect>();
  Location loc = UnknownLoc::get(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  ImplicitLocOpBuilder b(loc, OpBuilder::atBlockEnd(module->getBody()));
  Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
  lot::logSumExp(b, one, one);
  module->print(llvm::outs());
  return lot::Domain::log == lot::Domain::scaling;
}
