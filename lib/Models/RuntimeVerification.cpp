//===- RuntimeVerification.cpp - The verifier's checks on dynamic dims ---===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Models/Models.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/RuntimeVerifiableOpInterface.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
using ErrorMessage = function_ref<std::string(Operation *, StringRef)>;

/// Emits the assertions of one op.
struct CheckBuilder {
  Operation *op;
  OpBuilder &b;
  Location loc;
  ErrorMessage errorMessage;

  Value size(const OperandDim &dim) {
    Value value = dim.operand.value;
    if (isa<MemRefType>(value.getType()))
      return b.createOrFold<memref::DimOp>(loc, value, dim.dim);
    return b.createOrFold<tensor::DimOp>(loc, value, dim.dim);
  }

  Value equal(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y);
  }

  void check(Value condition, const Twine &message) {
    cf::AssertOp::create(b, loc, condition, errorMessage(op, message.str()));
  }

  /// Dims of a group against its first one. Two static sizes are the verifier's
  /// business. The assertion names what is wrong: sizes are not printable here.
  void checkGroup(const DimGroup &group) {
    if (group.dims.empty())
      return;
    const OperandDim &first = group.dims.front();
    for (const OperandDim &dim : llvm::drop_begin(group.dims)) {
      if (!ShapedType::isDynamic(first.size()) &&
          !ShapedType::isDynamic(dim.size()))
        continue;
      check(equal(size(first), size(dim)),
            group.label + ": expected " + dim.operand.name + " to have the " +
                group.what + " of " + first.operand.name);
    }
  }

  /// Query heads are a multiple of key heads.
  void checkMultiple(StringRef label, OperandDim query, OperandDim key) {
    if (!ShapedType::isDynamic(query.size()) &&
        !ShapedType::isDynamic(key.size()))
      return;
    // No key heads must not divide by zero: only no query heads go with them.
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    Value one = arith::ConstantIndexOp::create(b, loc, 1);
    Value hq = size(query), hk = size(key);
    Value divisor = arith::MaxUIOp::create(b, loc, hk, one);
    Value divides = equal(arith::RemUIOp::create(b, loc, hq, divisor), zero);
    Value some =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, hk, zero);
    Value none = equal(hq, zero);
    Value ok = arith::OrIOp::create(
        b, loc, arith::AndIOp::create(b, loc, divides, some), none);
    check(ok, label + ": expected the heads of " + query.operand.name +
                  " to be a multiple of the heads of " + key.operand.name);
  }

  /// Heads are those of one of two others.
  void checkEither(StringRef label, OperandDim heads, OperandDim query,
                   OperandDim key) {
    if (!ShapedType::isDynamic(heads.size()) &&
        !ShapedType::isDynamic(query.size()) &&
        !ShapedType::isDynamic(key.size()))
      return;
    Value h = size(heads);
    Value ok = arith::OrIOp::create(b, loc, equal(h, size(query)),
                                    equal(h, size(key)));
    check(ok, label + ": expected the heads of " + heads.operand.name +
                  " to be those of " + query.operand.name + " or of " +
                  key.operand.name);
  }
};

template <typename OpTy>
void checkAttentionHeads(OpTy op, CheckBuilder &checks) {
  OperandDim query{{op.getQuery(), "query"}, 1}, key{{op.getKey(), "key"}, 1};
  Named pivots{op.getPivots(), "pivots"};
  checks.checkMultiple("C7", query, key);
  checks.checkEither("C8", {pivots, pivots.rank() - 3}, query, key);
}

void checkHeads(AttentionOp op, CheckBuilder &checks) {
  checkAttentionHeads(op, checks);
}
void checkHeads(AttentionVjpOp op, CheckBuilder &checks) {
  checkAttentionHeads(op, checks);
}

template <typename OpTy>
void checkGlueHeads(OpTy op, CheckBuilder &checks) {
  OperandDim query{{op.getQueryPlan(), "query_plan"}, 1};
  OperandDim value{{op.getValue(), "value"}, 1};
  checks.checkMultiple("C63", query, value);
  checks.checkEither("C63", {{op.getKeyPlan(), "key_plan"}, 1}, query, value);
}

void checkHeads(GlueOp op, CheckBuilder &checks) { checkGlueHeads(op, checks); }
void checkHeads(GlueVjpOp op, CheckBuilder &checks) {
  checkGlueHeads(op, checks);
}

/// The other ops have no heads of their own.
void checkHeads(Operation *, CheckBuilder &) {}

template <typename OpTy>
struct RuntimeVerifiableModel
    : public RuntimeVerifiableOpInterface::ExternalModel<
          RuntimeVerifiableModel<OpTy>, OpTy> {
  void generateRuntimeVerification(Operation *op, OpBuilder &builder,
                                   Location loc,
                                   ErrorMessage generateErrorMessage) const {
    CheckBuilder checks{op, builder, loc, generateErrorMessage};
    for (const DimGroup &group : cast<OpTy>(op).getDimGroups())
      checks.checkGroup(group);
    checkHeads(cast<OpTy>(op), checks);
  }
};
} // namespace

/// Attaches the model to each of the ops.
template <typename... OpTys>
static void attach(MLIRContext &context) {
  (OpTys::template attachInterface<RuntimeVerifiableModel<OpTys>>(context),
   ...);
}

void lot::registerRuntimeVerificationModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, LotDialect *dialect) {
    attach<AttentionOp, PivotSolveOp, SweepOp, PlanOp, GlueOp, AttentionVjpOp,
           PivotSolveVjpOp, SweepVjpOp, PlanVjpOp, GlueVjpOp>(*context);
    // The checks are made of these.
    context->loadDialect<arith::ArithDialect, cf::ControlFlowDialect>();
  });
}
