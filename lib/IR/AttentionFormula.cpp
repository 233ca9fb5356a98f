//===- AttentionFormula.cpp - The formula of lot.attention in linalg ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionFormula.h"

#include "lot/Math/Formulas.h"

using namespace mlir;
using namespace mlir::lot;

using Term = IndexedBuilder::Term;

LogicalResult AttentionFormula::bind(Operation *op) {
  HeadsOf queryHeads{"query", {{query, 1}, {out, 1}}};
  HeadsOf keys{"key", {{key, 1}, {value, 1}}};
  HeadsOf pivotHeads{"pivots", {}};
  for (Value operand : {pivots, pivotLogMass, glueLogMass})
    if (operand) {
      int64_t rank = cast<ShapedType>(operand.getType()).getRank();
      pivotHeads.dims.push_back({operand, rank - (operand == pivots ? 3 : 2)});
    }
  FailureOr<int64_t> headGroup = resolveHeadGroup(op, queryHeads, keys);
  if (failed(headGroup))
    return failure();
  group = *headGroup;
  if (grouped()) {
    FailureOr<int64_t> pivotGroup =
        resolveHeadGroup(op, queryHeads, pivotHeads);
    if (failed(pivotGroup))
      return failure();
    ownPivots = *pivotGroup == 1;
  }
  keyHeads = keys.staticSize();
  if (ShapedType::isDynamic(keyHeads) && !grouped())
    keyHeads = queryHeads.staticSize();

  t.bind(out, "bqie");
  t.bind(query, "bqid");
  t.bind(key, "bhkd");
  t.bind(value, "bhke");
  t.bind('j', cast<ShapedType>(pivots.getType()).getShape().drop_back().back());
  t.bind('g', group);
  if (!ShapedType::isDynamic(keyHeads)) {
    t.bind('h', keyHeads);
    t.bind('q', keyHeads * group);
  }
  // The pivots' heads: those of the queries or of the keys.
  t.bindLike('s', ownPivots ? 'q' : 'h');
  return success();
}

/// Repeats a mass along the dims of `to` that `from` lacks, joining (h, g).
Value AttentionFormula::spread(Value mass, const std::string &from,
                               const std::string &to) {
  if (from == to)
    return mass;
  Value full = t.map(
      {{mass, from}}, to, state,
      [](ImplicitLocOpBuilder &, ValueRange args) -> Value { return args[0]; });
  return StringRef(to).contains('g') ? t.join(full, 1) : full;
}

Value AttentionFormula::queryMass() {
  if (!queryLogMass)
    return Value();
  return spread(queryLogMass, hasRank(queryLogMass, 3) ? "bqi" : "bi", "bqi");
}

Value AttentionFormula::queryPivotMass() {
  if (!pivotLogMass)
    return Value();
  if (!grouped() || ownPivots)
    return spread(pivotLogMass, withBatch(pivotLogMass, "qj"), "bqj");
  return spread(pivotLogMass, withBatch(pivotLogMass, "hj"), "bhgj");
}

Value AttentionFormula::keyMass() {
  if (!keyLogMass)
    return Value();
  if (!hasRank(keyLogMass, 3))
    return spread(keyLogMass, "bk", "bsk");
  return grouped() && ownPivots ? spread(keyLogMass, "bhk", "bhgk")
                                : keyLogMass;
}

Value AttentionFormula::keyPivotMass(Value mass) {
  return mass ? spread(mass, withBatch(mass, "sj"), "bsj") : mass;
}

Value AttentionFormula::maskedScores(Value dot, const std::string &dims,
                                     Term tokenMass, Term pivotMass) {
  SmallVector<Term> terms{{dot, dims}};
  for (const Term &mass : {tokenMass, pivotMass})
    if (mass.value)
      terms.push_back(mass);
  return t.map(terms, dims, state,
               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                 Value none = noMass(b, state);
                 Value l = scoreFromDot(b, args[0], scale, epsilon, clamp);
                 for (Value mass : args.slice(1, terms.size() - 1))
                   l = whereLive(b, mass, l, none);
                 return l;
               });
}

Value AttentionFormula::queryDots() {
  if (!grouped() || ownPivots)
    return t.contract({query, "bqid"}, {pivots, withBatch(pivots, "qjd")},
                      "bqij", "bqijd", state);
  Value dots =
      t.contract({t.split(query, 1, keyHeads, group), "bhgid"},
                 {pivots, withBatch(pivots, "hjd")}, "bhgij", "bhgijd", state);
  return t.join(dots, 1);
}

Value AttentionFormula::keyDots() {
  if (!grouped() || !ownPivots)
    return t.contract({key, "bhkd"}, {pivots, withBatch(pivots, "hjd")}, "bhkj",
                      "bhkjd", state);
  std::string dims = withBatch(pivots, "sjd");
  Value split = t.split(pivots, dims.find('s'), keyHeads, group);
  Value dots = t.contract({key, "bhkd"}, {split, withBatch(split, "hgjd")},
                          "bhgkj", "bhgkjd", state);
  return t.join(dots, 1);
}

Value AttentionFormula::live(Term operand, Term mass) {
  if (!mass.value)
    return operand.value;
  return t.map({operand, mass}, operand.dims,
               getElementTypeOrSelf(operand.value.getType()),
               [](ImplicitLocOpBuilder &b, ValueRange args) {
                 Value zero = floatConstant(b, args[0].getType(), 0.0);
                 return whereLive(b, args[1], args[0], zero);
               });
}

Value AttentionFormula::liveValues() {
  bool perHead = keyLogMass && hasRank(keyLogMass, 3);
  return live({value, "bhke"}, {keyLogMass, perHead ? "bhk" : "bk"});
}

Value AttentionFormula::glueLogRatio(Value pivotMass) {
  if (!glueLogMass)
    return Value();
  Value glue = keyPivotMass(glueLogMass);
  SmallVector<Term> terms{{glue, "bsj"}};
  Value uniform = pivotMass ? Value() : t.uniformLogMass('j', state);
  if (pivotMass)
    terms.push_back({pivotMass, "bsj"});
  return t.map(terms, "bsj", state,
               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                 return logRatio(b, pivotMass ? args[1] : uniform, args[0]);
               });
}

SolvedSide AttentionFormula::solveSide(Value scores, StringRef heads,
                                       char token, Marginal first,
                                       Value tokenMass, Value pivotMass,
                                       bool trajectory) {
  std::string pivot = heads.str() + "j";
  Value empty = t.empty(pivot, state);
  SmallVector<Value> inits{empty, empty};
  bool keys = first == Marginal::pivots;
  if (trajectory) {
    // The start and the potential after every pivot step.
    t.bind('t', (keys ? (halfSteps + 1) / 2 : halfSteps / 2) + 1);
    inits.push_back(t.empty(heads.str() + "tj", state));
  }
  auto solve =
      PivotSolveOp::create(t, ValueRange(inits).getTypes(), scores, tokenMass,
                           pivotMass, inits, first, halfSteps);
  SolvedSide side{scores,  tokenMass, pivotMass, Value(), solve.getResult(1),
                  Value(), Value(),   first};
  // At one half-step the key side has not taken a token step yet.
  if (!keys || halfSteps != 1)
    side.prev = solve.getResult(0);
  if (trajectory)
    side.trajectory = solve.getResult(2);
  Value init = t.empty(heads.str() + token + "j", state);
  side.plan = PlanOp::create(t, TypeRange{init.getType()}, scores, side.prev,
                             side.last, tokenMass, keys ? pivotMass : Value(),
                             init, side.conditional())
                  .getResult(0);
  return side;
}
