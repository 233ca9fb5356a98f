//===- ShardingLoops.cpp - Which dims of an op are split alike -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ShardingLoops.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::lot;

static int64_t rankOf(Value value) {
  return cast<ShapedType>(value.getType()).getRank();
}

namespace {
/// Collects the letters of operands in the order of the op.
struct LoopsBuilder {
  ShardingLoops loops;
  /// What a gradient is of.
  SmallVector<ShardingLoops::Dims> differentiated;

  void add(Value value, StringRef name, const std::string &letters,
           bool gradient = true) {
    if (!value)
      return;
    loops.operands.push_back({name, letters});
    if (gradient)
      differentiated.push_back(loops.operands.back());
  }
  void addResiduals(Value value) {
    if (!value)
      return;
    loops.letters += 'p';
    loops.whole += 'p';
    add(value, "residuals", "p", /*gradient=*/false);
  }
  void addGradients(size_t count = SIZE_MAX) {
    for (const ShardingLoops::Dims &dims :
         ArrayRef(differentiated).take_front(count))
      loops.operands.push_back({"init", dims.letters});
  }
};
} // namespace

/// 'h' for a dim of heads: blocks of query heads go with blocks of key heads.
/// One head that all query heads share has a loop of its own.
static std::string headLetter(int64_t heads, int64_t queryHeads) {
  return heads == 1 && queryHeads != 1 ? "o" : "h";
}

template <typename OpTy>
static void addAttentionInputs(OpTy op, LoopsBuilder &b) {
  auto shape = [](Value value) {
    return cast<ShapedType>(value.getType()).getShape();
  };
  int64_t queryHeads = shape(op.getQuery())[1];
  std::string key = headLetter(shape(op.getKey())[1], queryHeads);
  ArrayRef<int64_t> pivots = shape(op.getPivots());
  std::string head = headLetter(pivots[pivots.size() - 3], queryHeads);
  auto perHead = [&](Value mass, const std::string &heads, StringRef last) {
    return mass && rankOf(mass) == 3 ? "b" + heads + last.str()
                                     : "b" + last.str();
  };
  auto perBatch = [&](Value operand, int64_t rank, StringRef last) {
    return (operand && rankOf(operand) == rank ? "" : "b") + head + last.str();
  };
  b.add(op.getQuery(), "query", "bhnd");
  b.add(op.getKey(), "key", "b" + key + "md");
  b.add(op.getValue(), "value", "b" + key + "me");
  b.add(op.getPivots(), "pivots", perBatch(op.getPivots(), 3, "rd"));
  b.add(op.getQueryLogMass(), "query_log_mass",
        perHead(op.getQueryLogMass(), "h", "n"));
  b.add(op.getKeyLogMass(), "key_log_mass",
        perHead(op.getKeyLogMass(), key, "m"));
  b.add(op.getPivotLogMass(), "pivot_log_mass",
        perBatch(op.getPivotLogMass(), 2, "r"));
  b.add(op.getGlueLogMass(), "glue_log_mass",
        perBatch(op.getGlueLogMass(), 2, "r"));
}

template <typename OpTy>
static void addGlueInputs(OpTy op, LoopsBuilder &b) {
  auto heads = [&](Value value) {
    return headLetter(
        cast<ShapedType>(value.getType()).getDimSize(1),
        cast<ShapedType>(op.getQueryPlan().getType()).getDimSize(1));
  };
  std::string plan = heads(op.getKeyPlan());
  b.add(op.getQueryPlan(), "query_plan", "bhnr");
  b.add(op.getKeyPlan(), "key_plan", "b" + plan + "mr");
  b.add(op.getValue(), "value", "b" + heads(op.getValue()) + "me");
  b.add(op.getQueryLogMass(), "query_log_mass", "bhn");
  b.add(op.getGlueLogRatio(), "glue_log_ratio", "b" + plan + "r");
}

/// Letters of the batch dims of a score tensor.
static std::string batchOf(Value scores) {
  return std::string("xy").substr(0, rankOf(scores) - 2);
}

ShardingLoops lot::getShardingLoops(Operation *op) {
  LoopsBuilder b;
  b.loops.letters = "bhnmedro";
  b.loops.whole = "dro";
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](AttentionOp attention) {
        addAttentionInputs(attention, b);
        b.add(attention.getInit(), "init", "bhne");
        b.addResiduals(attention.getResiduals());
      })
      .Case([&](AttentionVjpOp vjp) {
        b.loops.whole += "e";
        b.add(vjp.getCotangent(), "cotangent", "bhne", /*gradient=*/false);
        addAttentionInputs(vjp, b);
        b.addResiduals(vjp.getResiduals());
        b.addGradients(vjp.getInits().size());
      })
      .Case([&](GlueOp glue) {
        addGlueInputs(glue, b);
        b.add(glue.getInit(), "init", "bhne");
      })
      .Case([&](GlueVjpOp vjp) {
        b.loops.whole += "e";
        b.add(vjp.getCotangent(), "cotangent", "bhne", /*gradient=*/false);
        addGlueInputs(vjp, b);
        b.addGradients();
      })
      .Default([&](Operation *) {
        b.loops.letters = "xynrt";
        b.loops.whole = "rt";
      });
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](PivotSolveOp solve) {
        std::string batch = batchOf(solve.getScores());
        b.add(solve.getScores(), "scores", batch + "nr");
        b.add(solve.getTokenLogMass(), "token_log_mass", batch + "n");
        b.add(solve.getPivotLogMass(), "pivot_log_mass", batch + "r");
        for (Value init : solve.getInits())
          b.add(init, "init",
                batch +
                    (rankOf(init) == rankOf(solve.getScores()) ? "tr" : "r"));
      })
      .Case([&](PivotSolveVjpOp vjp) {
        std::string batch = batchOf(vjp.getScores());
        b.add(vjp.getPrevCotangent(), "prev_cotangent", batch + "r", false);
        b.add(vjp.getLastCotangent(), "last_cotangent", batch + "r", false);
        b.add(vjp.getScores(), "scores", batch + "nr");
        b.add(vjp.getTrajectory(), "trajectory", batch + "tr", false);
        b.add(vjp.getTokenLogMass(), "token_log_mass", batch + "n");
        b.add(vjp.getPivotLogMass(), "pivot_log_mass", batch + "r");
        b.addGradients();
      })
      .Case([&](SweepOp sweep) {
        std::string batch = batchOf(sweep.getScores());
        b.add(sweep.getScores(), "scores", batch + "nr");
        b.add(sweep.getPrev(), "prev", batch + "r");
        b.add(sweep.getTokenLogMass(), "token_log_mass", batch + "n");
        for (Value init : sweep.getInits())
          b.add(init, "init", batch + "r");
      })
      .Case([&](SweepVjpOp vjp) {
        std::string batch = batchOf(vjp.getScores());
        b.add(vjp.getCotangent(), "cotangent", batch + "r", false);
        b.add(vjp.getScores(), "scores", batch + "nr");
        b.add(vjp.getLogSum(), "log_sum", batch + "r", false);
        b.add(vjp.getPrev(), "prev", batch + "r");
        b.add(vjp.getTokenLogMass(), "token_log_mass", batch + "n");
        b.addGradients();
      })
      .Case([&](PlanOp plan) {
        std::string batch = batchOf(plan.getScores());
        b.add(plan.getScores(), "scores", batch + "nr");
        b.add(plan.getPrev(), "prev", batch + "r");
        b.add(plan.getLast(), "last", batch + "r");
        b.add(plan.getTokenLogMass(), "token_log_mass", batch + "n");
        b.add(plan.getPivotLogMass(), "pivot_log_mass", batch + "r");
        b.add(plan.getInit(), "init", batch + "nr");
      })
      .Case([&](PlanVjpOp vjp) {
        std::string batch = batchOf(vjp.getScores());
        b.add(vjp.getCotangent(), "cotangent", batch + "nr", false);
        b.add(vjp.getScores(), "scores", batch + "nr");
        b.add(vjp.getPrev(), "prev", batch + "r");
        b.add(vjp.getLast(), "last", batch + "r");
        b.add(vjp.getTokenLogMass(), "token_log_mass", batch + "n");
        b.add(vjp.getPivotLogMass(), "pivot_log_mass", batch + "r");
        b.addGradients();
      });
  assert(b.loops.operands.size() == op->getNumOperands() &&
         "letters for every operand");
  return b.loops;
}
