//===- GradientKernels.h - One lot.attention_vjp as kernels -----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode (docs/semantics.md section 6) with the weights of each half-step
// as they were, so that nothing can overflow:
//
//     A_ij = 2^(score_ij + y_j + x_i - mass_i)   of the token step to x_i
//     P_ij = 2^(score_ij + x_i + y_j - mass_j)   of the pivot step to y_j
//
// Between passes over the tokens there are r values a side, the cotangent of a
// pivot potential. What tokens need is computed again from the scores and the
// potentials that the forward noted.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_GRADIENTKERNELS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_GRADIENTKERNELS_H

#include "AttentionKernels.h"
#include "Products.h"
#include "ReversePlan.h"
#include "TokenStream.h"

namespace mlir::lot {

/// Where gradients go; masses that have none are null.
struct GradientTargets {
  Value query, key, value, pivots, queryMass, keyMass, pivotMass, glueMass;
};

class GradientKernels : public AttentionKernels {
public:
  GradientKernels(AttentionVjpOp op, ImplicitLocOpBuilder &host,
                  gpu::GPUModuleOp module, const GPUTarget &target);

  void emit();

private:
  void makeGradientBuffers();
  /// `target`, or where several heads share its rows a buffer with a row for
  /// each, [B, pivot heads, m, columns].
  Value makeShared(Value target, int64_t columns);

  /// dG = R1^T dU and what the query side starts with.
  void emitQueryAdjoint();
  /// dV = R2^T dG and what the key side starts with.
  void emitKeyAdjoint();
  /// The half-steps backwards, both sides.
  void emitReverseSweeps();
  void emitReverseSweepsTogether();
  /// dQ or dK, and parts of dZ.
  void emitScoreGradient(bool keySide);
  // The same where a cluster keeps the plan of a side (ResidentReverse.cpp).

  bool canReverseInRegisters() const;
  void makeReverseSides();
  void makeReverseBuffers(Value problems);
  /// From the plan to dQ or to dK and dV, and parts of dG and dZ.
  void emitResidentReverse();
  Value emitResidentReverse(Kernel &k, Value at, Value turn);
  /// The side of place `at` in the order of problems, and whether it is keys.
  std::pair<Side, Value> locateReverse(Kernel &k, Value at);
  void launchReverse(Kernel &k);
  /// dG of a key problem in io, four columns at a time, as the sum of its parts
  /// in their order. `body` may add to `dot`, which `after` gets after the
  /// columns of a pivot, in the eight threads that have them.
  void emitGradientFold(
      Kernel &k, const Side &side,
      function_ref<Value(Value pivot, Value column, Value four, Value dot)>
          body,
      function_ref<void(Value pivot, Value dot)> after);
  void stageGradient(Kernel &k, const Side &side, Value rows, Value columns,
                     Value spent);
  /// Rows of a block and what is multiplied by their dots.
  struct ReverseRows {
    LaneRows rows;
    int64_t columns;
    Value factor;
  };
  ReverseRows getReverseTokens(Kernel &k, const Side &side, ReversePlan &plan);
  /// Those that meet G or dG.
  ReverseRows getReverseRows(Kernel &k, const Side &side, Value isKey,
                             ReversePlan &plan);
  Value getReverseFactor(Kernel &k, const Side &side, Value isKey);
  void startNextRows(Kernel &k, ReversePlan &plan, int64_t tile, int64_t blocks,
                     const ReverseRows &rows, const ReverseRows &next,
                     RowStream &stream);
  void startPassRows(Kernel &k, ReversePlan &plan, int64_t tile,
                     const ReverseRows &rows, bool wraps, RowStream &stream);
  void startPlanTiles(Kernel &k, const Side &side, ReversePlan &plan,
                      RowStream &stream);
  void emitPlanTiles(Kernel &k, const Side &side, Value isKey,
                     ReversePlan &plan, Value pivots, Value columns,
                     RowStream &stream);
  Values emitTileProduct(Kernel &k, ReversePlan &plan, int64_t tile,
                         Value valuesT, Value unit, Value rowSums,
                         RowStream &stream,
                         function_ref<void(ArrayRef<Value> products)> body);
  void emitValueGradient(Kernel &k, const Side &side, ReversePlan &plan,
                         const ReverseRows &values, Value valuesT,
                         Value rowSums, RowStream &stream);
  void emitGradientParts(Kernel &k, const SharedSide &numbers,
                         ReversePlan &plan, const ReverseRows &values,
                         Value valuesT, Value rowSums, Value spent,
                         RowStream &stream);
  void emitScoreProducts(Kernel &k, const Side &side, Value isKey,
                         ReversePlan &plan, Value matrix, Value pivotsT,
                         Value rowSums, RowStream &stream);
  void emitPivotProducts(Kernel &k, const Side &side, ReversePlan &plan,
                         Value unit, RowStream &stream);
  /// The same again from the tokens, with the weights of each half-step, for
  /// problems whose plan may have lost something.
  void emitReverseAgain();
  void emitReverseAgain(Kernel &k, const Side &side, bool keySide);

  /// The sums over chunks, heads and the batch.
  void emitPivotGradient();
  void emitPivotMassGradients();
  void emitPivotMassGradient(Value operand, bool isGlue);
  void emitTokenMassGradient(Value target, const SideOperands &side,
                             StringRef name);
  /// The sum over heads that share rows.
  void emitHeadSum(Value source, Value target, int64_t columns, StringRef name);

  // Parts of kernels.

  /// The kernels above for the chunk of a block; `target` takes parts of dG.
  void emitQueryAdjoint(Kernel &k, const Side &side, const GatherShape &shape,
                        Value column, Value target, bool streamed);
  void emitKeyAdjoint(Kernel &k, const Side &side, bool streamed);
  /// `stream`: null where tiles are not streamed.
  void emitReverseSweep(Kernel &k, const Sweep &sweep, const Matrix &pivots,
                        TokenStream *stream);
  void emitScoreGradient(Kernel &k, const Side &side, bool keySide,
                         const GatherShape &shape, Value column, Value isFirst,
                         bool quick);

  /// What the entries of E = R o dR are made of, before the loop over tiles.
  struct EntryInputs {
    std::shared_ptr<TokenStream> stream; ///< null: tiles read what they need
    Value ratios;          ///< stream: shared [pivots], 2^(last - prev)
    Value near;            ///< stream: i1, these are in a safe range
    Matrix pivots, values; ///< values: G (query side) or dG, as rows
    PlanState state;
    bool keepsSums = false; ///< stream: with memory for StreamedSums
    Value extra;  ///< shared [pivots]: their column of row sums, or null
    Value tokens; ///< rows that meet `values`: dO or V
    Values leading;
  };
  /// `streamed`: with a stream, whose memory has room for sums of a warp of
  /// `sumBytes` afterwards, and, if it `mayKeepSums` and there is enough, for
  /// StreamedSums behind the rows.
  EntryInputs emitEntryInputs(Kernel &k, const Side &side, bool keySide,
                              bool streamed, int64_t sumBytes = 0,
                              bool mayKeepSums = false);
  /// E of a tile and what came up on the way.
  struct Entries {
    Tile rawScores, scores, plan, entries;
    Value sum[2]; ///< of the rows
    std::optional<TokenStep> step;
    Value factor[2]; ///< query side: of the rows of R1 G
    Value slope[2];  ///< query side, row sums: their cotangent
    Value direct[2]; ///< query side: of the log mass, not through half-steps
  };
  /// What forEntries runs over.
  struct EntryTile {
    Value begin;
    const Rows &rows;
    const TokenStream::StreamedTile *streamed; ///< null without a stream
    /// Quick ways may be taken, which set `lost` where they do not hold; else
    /// `lost` is null.
    Value lost;
  };
  /// `tile.lost` becomes what it is afterwards.
  Entries emitEntries(Kernel &k, const Side &side, EntryTile &tile,
                      const EntryInputs &inputs);
  /// A loop over the tiles of the block; `body` in quick ways if `near` (i1, in
  /// all threads; null: no), once more without them if they did not hold for a
  /// tile of the block; `begin` before each time.
  Values
  forEntries(Kernel &k, const Side &side, const EntryInputs &inputs,
             const Values &init, Value near,
             function_ref<Values(EntryTile &tile, ValueRange carried)> body,
             function_ref<void(Value tile)> absent = nullptr,
             function_ref<void()> begin = nullptr);
  void emitQueryEntries(Kernel &k, const Rows &rows, const EntryInputs &inputs,
                        Entries &result);
  void emitKeyEntries(Kernel &k, const EntryInputs &inputs, Entries &result);
  /// E less what its row sums pass on through the last token step, where that
  /// read the last potential.
  Tile emitEnds(Kernel &k, const Rows &rows, const Entries &entries,
                bool keySide);

  /// The cotangent of potential `step` of a side from the partials in slot
  /// `slot`, noted as emitState does.
  Value emitCotangent(Kernel &k, const Side &side, Value step, Value slot);
  /// Notes a value of each row of a tile, 0 where it is not live.
  void storeRows(Kernel &k, const Side &side, Value tile, const Value values[2],
                 Value target);
  /// Weights A (rows sum to 1) of a token step that was taken.
  Tile emitTokenWeights(Kernel &k, const TokenStep &step, const Rows &rows);
  /// One step backwards for the entries of a tile: P and A of step s, x' of the
  /// tokens. `ybar` and `next` are columns of y_s, `prev` of y_(s-1); without
  /// `prev` tokens have no potential.
  struct StepWeights {
    Tile token, pivot;
    Value own[2];       ///< of the tokens' potentials, through the pivots
    Value cotangent[2]; ///< the same with what else reads them
  };
  StepWeights emitStepWeights(Kernel &k, const Tile &scores, const Rows &rows,
                              const Values *prev, const Values &next,
                              const Values &mass, const Values &ybar,
                              const Value extra[2]);
  int64_t getSteps(bool keySide) const {
    return keySide ? facts.keySweeps() : facts.querySweeps();
  }
  /// Whether the last token step reads the last potential: then the plan's
  /// token cotangents are spent before the first step backwards.
  bool endsWithTokens(bool keySide) const {
    return (facts.halfSteps % 2 == 1) != keySide;
  }

  GradientTargets targets;
  Value cotangentOperand;
  Value cotangent;       ///< [B, Hq, n, dv]
  Value longest;         ///< tokens of the longer side
  Folded gradients;      ///< dG
  Value tokenCotangents; ///< [problems, longest]: of x in the plan
  Value tokenMasses;     ///< [problems, longest]: gradients of log masses
  Value cotangents;      ///< [problems, states, pivots]: of y
  Value sums;            ///< [2, problems, chunks, pivots]: parts of those
  Value planSums;        ///< [key problems, chunks, pivots]: sum_i R dR
  SideOperands reverseQueries, reverseKeys; ///< in blocks of a cluster
  Value isReversible;                       ///< i1: they fit; null: never
  Value gradientParts; ///< [query problems, chunks, pivots, columns]: of dG
  Value suspects; ///< [problems, chunks]: not 0 where a plan lost something
  Value queryGradient;
  Value keyGradient, valueGradient; ///< dK and dV, or a row for each head
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_GRADIENTKERNELS_H
