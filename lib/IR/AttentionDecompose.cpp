//===- AttentionDecompose.cpp - lot.attention in its formulas -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
using Term = IndexedBuilder::Term;

/// Letters: b batch, i queries, k keys, j pivots, d head dim, e value dim;
/// heads are q (query), h (key) and s (the solved key side: those of the
/// pivots). Where heads are grouped, q = (h, g).
struct Attention {
  AttentionOp op;
  IndexedBuilder &t;
  FloatType state;
  int64_t group, keyHeads;
  /// Whether each query head of a group has pivots of its own.
  bool ownPivots;

  bool grouped() const { return group != 1; }
  static bool hasRank(Value value, int64_t rank) {
    return cast<ShapedType>(value.getType()).getRank() == rank;
  }
  /// `dims` behind a batch letter if the operand has one: rank tells.
  static std::string withBatch(Value value, StringRef dims) {
    bool batch = !hasRank(value, dims.size());
    return (batch ? "b" : "") + dims.str();
  }

  void bindSizes() {
    t.bind(op.getInit(), "bqie");
    t.bind(op.getQuery(), "bqid");
    t.bind(op.getKey(), "bhkd");
    t.bind(op.getValue(), "bhke");
    t.bind('j', op.getNumPivots());
    t.bind('g', group);
    if (!ShapedType::isDynamic(keyHeads)) {
      t.bind('h', keyHeads);
      t.bind('q', keyHeads * group);
    }
    // The pivots' heads: those of the queries or of the keys.
    t.bindLike('s', ownPivots ? 'q' : 'h');
  }

  /// Repeats a mass along the dims of `to` that `from` lacks, joining (h, g).
  Value spread(Value mass, const std::string &from, const std::string &to) {
    if (from == to)
      return mass;
    Value full = t.map({{mass, from}}, to, state,
                       [](ImplicitLocOpBuilder &, ValueRange args) -> Value {
                         return args[0];
                       });
    return StringRef(to).contains('g') ? t.join(full, 1) : full;
  }

  /// The masses of the query side, [B, Hq, n] and [B, Hq, r]; null if uniform.
  Value queryMass() {
    Value mass = op.getQueryLogMass();
    return mass ? spread(mass, hasRank(mass, 3) ? "bqi" : "bi", "bqi") : mass;
  }
  Value queryPivotMass() {
    Value mass = op.getPivotLogMass();
    if (!mass)
      return mass;
    if (!grouped() || ownPivots)
      return spread(mass, withBatch(mass, "qj"), "bqj");
    return spread(mass, withBatch(mass, "hj"), "bhgj");
  }
  /// The masses of the key side, [B, Hs, m] and [B, Hs, r]; null if uniform.
  Value keyMass() {
    Value mass = op.getKeyLogMass();
    if (!mass)
      return mass;
    if (!hasRank(mass, 3))
      return spread(mass, "bk", "bsk");
    return grouped() && ownPivots ? spread(mass, "bhk", "bhgk") : mass;
  }
  Value keyPivotMass(Value mass) {
    return mass ? spread(mass, withBatch(mass, "sj"), "bsj") : mass;
  }

  /// clip(scale x.z, -c, c) / epsilon; -inf where the token or the pivot has no
  /// mass, whatever their data are.
  Value maskedScores(Value dot, const std::string &dims, Term tokenMass,
                     Term pivotMass) {
    SmallVector<Term> terms{{dot, dims}};
    for (const Term &mass : {tokenMass, pivotMass})
      if (mass.value)
        terms.push_back(mass);
    std::optional<double> clamp;
    if (op.getScoreClamp())
      clamp = op.getScoreClamp()->convertToDouble();
    double scale = op.getScaleOrDefault();
    double epsilon = op.getEpsilon().convertToDouble();
    return t.map(terms, dims, state,
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   Value none = noMass(b, state);
                   Value l = scoreFromDot(b, args[0], scale, epsilon, clamp);
                   for (Value mass : args.slice(1, terms.size() - 1))
                     l = whereLive(b, mass, l, none);
                   return l;
                 });
  }

  Value queryDots() {
    Value q = op.getQuery(), z = op.getPivots();
    if (!grouped() || ownPivots)
      return t.contract({q, "bqid"}, {z, withBatch(z, "qjd")}, "bqij", "bqijd",
                        state);
    Value dots = t.contract({t.split(q, 1, keyHeads, group), "bhgid"},
                            {z, withBatch(z, "hjd")}, "bhgij", "bhgijd", state);
    return t.join(dots, 1);
  }

  Value keyDots() {
    Value k = op.getKey(), z = op.getPivots();
    if (!grouped() || !ownPivots)
      return t.contract({k, "bhkd"}, {z, withBatch(z, "hjd")}, "bhkj", "bhkjd",
                        state);
    std::string dims = withBatch(z, "sjd");
    Value split = t.split(z, dims.find('s'), keyHeads, group);
    Value dots = t.contract({k, "bhkd"}, {split, withBatch(split, "hgjd")},
                            "bhgkj", "bhgkjd", state);
    return t.join(dots, 1);
  }

  /// V with the rows of absent keys replaced by 0.
  Value liveValues() {
    Value v = op.getValue(), mass = op.getKeyLogMass();
    if (!mass)
      return v;
    return t.map({{v, "bhke"}, {mass, hasRank(mass, 3) ? "bhk" : "bk"}}, "bhke",
                 getElementTypeOrSelf(v.getType()),
                 [](ImplicitLocOpBuilder &b, ValueRange args) {
                   Value zero = floatConstant(b, args[0].getType(), 0.0);
                   return whereLive(b, args[1], args[0], zero);
                 });
  }

  /// log(w / w_glue), [B, Hs, r].
  Value glueLogRatio(Value pivotMass) {
    if (!op.getGlueLogMass())
      return Value();
    Value glue = keyPivotMass(op.getGlueLogMass());
    SmallVector<Term> terms{{glue, "bsj"}};
    Value uniform = pivotMass ? Value() : t.uniformLogMass('j', state);
    if (pivotMass)
      terms.push_back({pivotMass, "bsj"});
    return t.map(terms, "bsj", state,
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   return logRatio(b, pivotMass ? args[1] : uniform, args[0]);
                 });
  }

  /// One side solved: its conditional plan, [B, heads, tokens, r].
  Value solvedPlan(Value scores, StringRef heads, char token, Marginal first,
                   Value tokenMass, Value pivotMass) {
    std::string pivot = heads.str() + "j";
    Value empty = t.empty(pivot, state);
    SmallVector<Value> inits{empty, empty};
    auto solve =
        PivotSolveOp::create(t, ValueRange(inits).getTypes(), scores, tokenMass,
                             pivotMass, inits, first, op.getHalfSteps());
    bool keys = first == Marginal::pivots;
    // At one half-step the key side has not taken a token step yet.
    Value prev = keys && op.getHalfSteps() == 1 ? Value() : solve.getResult(0);
    Value init = t.empty(heads.str() + token + "j", state);
    return PlanOp::create(t, TypeRange{init.getType()}, scores, prev,
                          solve.getResult(1), tokenMass,
                          keys ? pivotMass : Value(), init,
                          keys ? Marginal::pivots : Marginal::tokens)
        .getResult(0);
  }

  Value run() {
    bindSizes();
    Value la = queryMass(), lwQuery = queryPivotMass();
    Value lb = keyMass(), lwKey = keyPivotMass(op.getPivotLogMass());
    Value queryScores =
        maskedScores(queryDots(), "bqij", {la, "bqi"}, {lwQuery, "bqj"});
    Value keyScores =
        maskedScores(keyDots(), "bskj", {lb, "bsk"}, {lwKey, "bsj"});
    Value queryPlan =
        solvedPlan(queryScores, "bq", 'i', Marginal::tokens, la, lwQuery);
    Value keyPlan =
        solvedPlan(keyScores, "bs", 'k', Marginal::pivots, lb, lwKey);
    // The glue asks for the query masses only where they matter.
    Normalization normalization = op.getNormalization();
    bool usesMass = normalization == Normalization::none ||
                    (normalization == Normalization::row_sum &&
                     op.getRowFloor().convertToDouble() > 0);
    return GlueOp::create(t, TypeRange{op.getInit().getType()}, queryPlan,
                          keyPlan, liveValues(), usesMass ? la : Value(),
                          glueLogRatio(lwKey), op.getInit(), normalization,
                          op.getRowFloor(), op.getOutScale())
        .getResult(0);
  }
};
} // namespace

FailureOr<SmallVector<Value>> AttentionOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  HeadsOf query{"query", {{getQuery(), 1}, {getInit(), 1}}};
  HeadsOf key{"key", {{getKey(), 1}, {getValue(), 1}}};
  HeadsOf pivots{"pivots", {}};
  for (Value value : {getPivotLogMass(), getGlueLogMass()})
    if (value)
      pivots.dims.push_back({value, getShapedType(value).getRank() - 2});
  pivots.dims.insert(pivots.dims.begin(),
                     {getPivots(), getShapedType(getPivots()).getRank() - 3});
  FailureOr<int64_t> group = resolveHeadGroup(*this, query, key);
  if (failed(group))
    return failure();
  bool ownPivots = true;
  if (*group != 1) {
    FailureOr<int64_t> pivotGroup = resolveHeadGroup(*this, query, pivots);
    if (failed(pivotGroup))
      return failure();
    ownPivots = *pivotGroup == 1;
  }
  int64_t keyHeads = key.staticSize();
  if (ShapedType::isDynamic(keyHeads) && *group == 1)
    keyHeads = query.staticSize();
  IndexedBuilder t(getLoc(), b);
  Attention attention{*this, t, getStateType(), *group, keyHeads, ownPivots};
  return SmallVector<Value>{attention.run()};
}
