//===- AttentionVjpDecompose.cpp - lot.attention_vjp in its formulas ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionFormula.h"

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
using Term = IndexedBuilder::Term;

/// The gradients of one solved side; masses that are absent have none.
struct SideGradients {
  Value dots, tokenMass, pivotMass;
};

/// The letters are those of AttentionFormula. Gradients are formed with the
/// heads of a group apart: query heads (h, g), the pivots' heads either.
struct AttentionVjp {
  AttentionVjpOp op;
  AttentionFormula &f;
  IndexedBuilder &t;
  FloatType state;
  std::string queryHeads, pivotHeads;

  AttentionVjp(AttentionVjpOp op, AttentionFormula &f)
      : op(op), f(f), t(f.t), state(f.state),
        queryHeads(f.grouped() ? "hg" : "h"),
        pivotHeads(f.grouped() && f.ownPivots ? "hg" : "h") {}

  Value add(Value a, Value b, const std::string &dims) {
    return t.map({{a, dims}, {b, dims}}, dims, state,
                 [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                   return arith::AddFOp::create(nested, args[0], args[1]);
                 });
  }
  Value negate(Value a, const std::string &dims) {
    return t.map({{a, dims}}, dims, state,
                 [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                   return arith::NegFOp::create(nested, args[0]);
                 });
  }

  /// [.., heads, ..] with the query heads (or the pivots') as (h, g).
  Value splitQuery(Value value, int64_t position = 1) {
    return f.grouped() ? t.split(value, position, f.keyHeads, f.group) : value;
  }
  Value splitPivots(Value value, int64_t position) {
    return pivotHeads.size() == 2
               ? t.split(value, position, f.keyHeads, f.group)
               : value;
  }

  /// "b" if pivots (rank 3 without a batch) or their masses (2) have one each.
  static std::string batchOfPivots(Value value, int64_t rank) {
    return AttentionFormula::hasRank(value, rank) ? "" : "b";
  }
  std::string pivotMassDims(Value mass) {
    return batchOfPivots(mass, 2) + pivotHeads + "j";
  }

  /// The pivots, those without mass as 0.
  Value livePivots() {
    std::string batch = batchOfPivots(f.pivots, 3);
    Value z = splitPivots(f.pivots, batch.size());
    if (!f.pivotLogMass)
      return z;
    std::string massBatch = batchOfPivots(f.pivotLogMass, 2);
    Value mass = splitPivots(f.pivotLogMass, massBatch.size());
    return t.map(
        {{z, batch + pivotHeads + "jd"}, {mass, massBatch + pivotHeads + "j"}},
        (batch.empty() ? massBatch : batch) + pivotHeads + "jd",
        getElementTypeOrSelf(f.pivots.getType()),
        [](ImplicitLocOpBuilder &nested, ValueRange args) {
          Value zero = floatConstant(nested, args[0].getType(), 0.0);
          return whereLive(nested, args[1], args[0], zero);
        });
  }

  /// The gradient of the init's operand: `value` with heads joined, in the
  /// init's type.
  Value finish(Value value, const std::string &dims, Value init) {
    Type element = getElementTypeOrSelf(init.getType());
    if (element != state)
      value =
          t.map({{value, dims}}, dims, element,
                [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  return convertFloat(nested, args[0], element);
                });
    if (size_t g = dims.find('g'); g != std::string::npos)
      value = t.join(value, g - 1);
    return t.castTo(value, init.getType());
  }

  /// The gradient of the dot products behind scores: 0 where they were clipped.
  Value dotGradient(Value gradient, Value dot, const std::string &dims) {
    SmallVector<Term> terms{{gradient, dims}};
    if (f.clamp)
      terms.push_back({dot, dims});
    return t.map(terms, dims, state,
                 [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                   return dotCotangent(nested, args[0],
                                       f.clamp ? args[1] : Value(), f.scale,
                                       f.epsilon, f.clamp);
                 });
  }

  /// Reverse mode of one side from the gradient of its plan. `heads` and
  /// `token` as in solveSide.
  SideGradients sideGradients(const SolvedSide &side, Value planGradient,
                              Value dot, const std::string &heads, char token) {
    std::string scoreDims = heads + token + "j", tokenDims = heads + token,
                pivotDims = heads + "j";
    auto empty = [&](const std::string &dims) { return t.empty(dims, state); };
    bool keys = side.first == Marginal::pivots;
    // The plan: scores, prev, last and the masses it was formed with.
    Value planPivotMass = keys ? side.pivotMass : Value();
    SmallVector<Value> inits{empty(scoreDims)};
    if (side.prev)
      inits.push_back(empty(pivotDims));
    inits.push_back(empty(pivotDims));
    if (side.tokenMass)
      inits.push_back(empty(tokenDims));
    if (planPivotMass)
      inits.push_back(empty(pivotDims));
    auto plan = PlanVjpOp::create(
        t, ValueRange(inits).getTypes(), planGradient, side.scores, side.prev,
        side.last, side.tokenMass, planPivotMass, inits, side.conditional());
    unsigned next = 0;
    Value scores = plan.getResult(next++);
    Value prev =
        side.prev ? plan.getResult(next++) : t.fill(0.0, pivotDims, state);
    Value last = plan.getResult(next++);
    SideGradients gradients;
    if (side.tokenMass)
      gradients.tokenMass = plan.getResult(next++);
    if (planPivotMass)
      gradients.pivotMass = plan.getResult(next++);

    // The half-steps.
    SmallVector<Value> solveInits{empty(scoreDims)};
    if (side.tokenMass)
      solveInits.push_back(empty(tokenDims));
    if (side.pivotMass)
      solveInits.push_back(empty(pivotDims));
    auto solve = PivotSolveVjpOp::create(
        t, ValueRange(solveInits).getTypes(), prev, last, side.scores,
        side.trajectory, side.tokenMass, side.pivotMass, solveInits, side.first,
        f.halfSteps);
    next = 0;
    scores = add(scores, solve.getResult(next++), scoreDims);
    if (side.tokenMass)
      gradients.tokenMass =
          add(gradients.tokenMass, solve.getResult(next++), tokenDims);
    if (side.pivotMass) {
      Value mass = solve.getResult(next++);
      gradients.pivotMass = gradients.pivotMass
                                ? add(gradients.pivotMass, mass, pivotDims)
                                : mass;
    }
    gradients.dots = dotGradient(scores, dot, scoreDims);
    return gradients;
  }

  /// Sums a gradient over the dims that `to` lacks, onto `start` if given.
  Value sumTo(Value value, const std::string &from, const std::string &to,
              Value start = Value()) {
    if (from == to)
      return start ? add(start, value, to) : value;
    return t.sum({value, from}, to, start ? start : t.fill(0.0, to, state));
  }

  SmallVector<Value> run() {
    Value la = f.queryMass(), lwQuery = f.queryPivotMass();
    Value lb = f.keyMass(), lwKey = f.keyPivotMass(f.pivotLogMass);
    // Forward, with the pivot potentials of every step as residuals.
    Value queryDots = f.queryDots(), keyDots = f.keyDots();
    SolvedSide queries = f.solveSide(
        f.maskedScores(queryDots, "bqij", {la, "bqi"}, {lwQuery, "bqj"}), "bq",
        'i', Marginal::tokens, la, lwQuery, /*trajectory=*/true);
    SolvedSide keys = f.solveSide(
        f.maskedScores(keyDots, "bskj", {lb, "bsk"}, {lwKey, "bsj"}), "bs", 'k',
        Marginal::pivots, lb, lwKey, /*trajectory=*/true);
    Value ratio = f.glueLogRatio(lwKey), values = f.liveValues();

    // The glue.
    SmallVector<Value> inits{t.empty("bqij", state), t.empty("bskj", state),
                             t.empty("bhke", getElementTypeOrSelf(f.value))};
    if (la)
      inits.push_back(t.empty("bqi", state));
    if (ratio)
      inits.push_back(t.empty("bsj", state));
    auto glue = GlueVjpOp::create(
        t, ValueRange(inits).getTypes(), f.out, queries.plan, keys.plan, values,
        la, ratio, inits, f.normalization, f.rowFloor, f.outScale);
    Value ratioGradient = ratio ? glue->getResults().back() : Value();

    // The sides.
    SideGradients query =
        sideGradients(queries, glue.getResult(0), queryDots, "bq", 'i');
    SideGradients key =
        sideGradients(keys, glue.getResult(1), keyDots, "bs", 'k');

    // The score products. What has no mass is 0, so that it adds nothing.
    std::string queryDims = "b" + queryHeads, keyDims = "b" + pivotHeads;
    Value dotsQ = splitQuery(query.dots), dotsK = splitPivots(key.dots, 1);
    Value z = livePivots();
    std::string zDims = f.withBatch(z, pivotHeads + "jd");
    std::string dzDims = batchOfPivots(f.pivots, 3) + pivotHeads + "jd";
    Value liveQ = f.live({f.query, "bqid"}, {la, "bqi"});
    bool perHead = f.keyLogMass && f.hasRank(f.keyLogMass, 3);
    Value liveK =
        f.live({f.key, "bhkd"}, {f.keyLogMass, perHead ? "bhk" : "bk"});
    Value dq = t.contract({dotsQ, queryDims + "ij"}, {z, zDims},
                          queryDims + "id", queryDims + "ijd", state);
    Value dk = t.contract({dotsK, keyDims + "kj"}, {z, zDims}, "bhkd",
                          keyDims + "kjd", state);
    Value dz = t.contract({dotsQ, queryDims + "ij"},
                          {splitQuery(liveQ), queryDims + "id"}, dzDims,
                          queryDims + "ijd", state);
    dz = t.contract({dotsK, keyDims + "kj"}, {liveK, "bhkd"}, dzDims,
                    keyDims + "kjd", state, dz);

    auto outs = op.getInits();
    SmallVector<Value> results{finish(dq, queryDims + "id", outs[0]),
                               finish(dk, "bhkd", outs[1]),
                               t.castTo(glue.getResult(2), outs[2].getType()),
                               finish(dz, dzDims, outs[3])};
    auto push = [&](Value value, const std::string &dims) {
      results.push_back(finish(value, dims, outs[results.size()]));
    };
    if (!op.hasMassGradients())
      return results;
    // Masses: summed over what shares them.
    if (f.queryLogMass) {
      Value dla = add(query.tokenMass, glue.getResult(3), "bqi");
      bool full = f.hasRank(f.queryLogMass, 3);
      std::string dims = full ? "bqi" : "bi";
      push(sumTo(dla, "bqi", dims), dims);
    }
    if (f.keyLogMass) {
      std::string dims = perHead ? "bhk" : "bk";
      push(sumTo(splitPivots(key.tokenMass, 1), keyDims + "k", dims), dims);
    }
    if (ratioGradient)
      ratioGradient = splitPivots(ratioGradient, 1);
    std::string massDims = keyDims + "j";
    if (f.pivotLogMass) {
      std::string dims = pivotMassDims(f.pivotLogMass);
      Value dlw = splitPivots(key.pivotMass, 1);
      if (ratioGradient)
        dlw = add(dlw, ratioGradient, massDims);
      dlw = sumTo(dlw, massDims, dims);
      dlw = sumTo(splitQuery(query.pivotMass), queryDims + "j", dims, dlw);
      push(dlw, dims);
    }
    if (f.glueLogMass) {
      std::string dims = pivotMassDims(f.glueLogMass);
      push(sumTo(negate(ratioGradient, massDims), massDims, dims), dims);
    }
    return results;
  }
};
} // namespace

FailureOr<SmallVector<Value>> AttentionVjpOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  AttentionFormula formula(*this, getCotangent(), t);
  if (failed(formula.bind(*this)))
    return failure();
  return AttentionVjp(*this, formula).run();
}
