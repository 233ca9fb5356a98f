//===- GlueDecompose.cpp - lot.glue in linalg -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlueFormula.h"

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::lot;

/// Normalization and out_scale of O's element, in the state type.
static Value finish(const GlueFormula &f, ImplicitLocOpBuilder &b, Value u,
                    Value rowSum, Value logMass) {
  if (f.sumsRows())
    u = divideRow(b, u, rowSum,
                  f.rowFloor > 0 ? rowFloor(b, f.rowFloor, logMass) : Value());
  if (f.normalization == Normalization::none)
    u = arith::MulFOp::create(b, u, math::ExpOp::create(b, logMass));
  if (f.outScale != 1.0)
    u = arith::MulFOp::create(b, u, floatConstant(b, u.getType(), f.outScale));
  return u;
}

FailureOr<SmallVector<Value>> GlueOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  GlueFormula f(*this, getInit(), t);
  if (failed(f.bind(*this)))
    return failure();

  std::string out = f.queryHeads + "ie";
  Value o = f.apply(f.gather());
  SmallVector<IndexedBuilder::Term> terms{{o, out}};
  if (f.sumsRows())
    terms.push_back({f.applyOnes(f.gatherOnes()), f.queryHeads + "i"});
  Value uniform;
  f.addMass(terms, uniform);
  Type io = getElementTypeOrSelf(getInit().getType());
  if (f.sumsRows() || f.usesMass() || io != f.state || f.outScale != 1.0)
    o = t.map(terms, out, io,
              [&](ImplicitLocOpBuilder &nested, ValueRange args) {
                Value logMass =
                    uniform ? uniform : args.take_front(terms.size()).back();
                Value rowSum = f.sumsRows() ? args[1] : Value();
                return convertFloat(
                    nested, finish(f, nested, args[0], rowSum, logMass), io);
              });
  if (f.grouped())
    o = t.join(o, 1);
  return SmallVector<Value>{t.castTo(o, getInit().getType())};
}
