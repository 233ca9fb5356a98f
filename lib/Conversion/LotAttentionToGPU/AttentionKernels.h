//===- AttentionKernels.h - One lot.attention as kernels --------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_ATTENTIONKERNELS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_ATTENTIONKERNELS_H

#include "PackedProducts.h"
#include "TokenStream.h"

namespace mlir::lot {

/// The operands of the forward, as the op has them; log masses may be null.
struct AttentionOperandValues {
  template <typename OpTy>
  explicit AttentionOperandValues(OpTy op)
      : query(op.getQuery()), key(op.getKey()), value(op.getValue()),
        pivots(op.getPivots()), queryMass(op.getQueryLogMass()),
        keyMass(op.getKeyLogMass()), pivotMass(op.getPivotLogMass()),
        glueMass(op.getGlueLogMass()), residuals(op.getResiduals()) {}

  Value query, key, value, pivots, queryMass, keyMass, pivotMass, glueMass;
  Value residuals; ///< what the forward writes and reverse mode reads, or null
};

/// Sums over chunks of r x columns values, and what products read them as.
struct Folded {
  int64_t columns;  ///< a multiple of 32
  Value sums;       ///< [problems, pivots, columns]; may be null
  Value transposed; ///< [problems, columns, pivots], for ApplyProduct
  Value rows;       ///< [problems, pivots, stride], for dots; may be null
  Value extra;      ///< [problems, pivots]: sums of one more column, or null
};

/// Device memory that the kernels of one op share. Sizes of the batch, heads
/// and tokens are values of the host.
struct KernelBuffers {
  Value pivots;    ///< [pivot sets, pivots, stride]: see emitPack
  Value pivotsT;   ///< [pivot sets, depth, pivots], for ApplyProduct; or null
  Value pivotMass; ///< [pivot sets, pivots]: -inf if absent
  Value glueRatio; ///< [pivot sets, pivots]: mass / glue mass; null: 1
  Value signals;   ///< [problems]: blocks that are done; starts at 0
  Value mail; ///< words of spread teams (ClusterSums.h), 0 at first; or null
  Value partials;     ///< [problems, chunks, pivots]: sums of a sweep
  Value states;       ///< [problems, states, pivots]: pivot potentials
  Value gathered;     ///< [problems, chunks, pivots, columns]: parts of G
  Value gatheredSums; ///< [problems, chunks, pivots]: of row sums; or null
  Folded values;      ///< G
};

/// The kernels of one op; each `emit` writes a kernel and its launch.
class AttentionKernels {
public:
  template <typename OpTy>
  AttentionKernels(OpTy op, ImplicitLocOpBuilder &host, gpu::GPUModuleOp module,
                   const GPUTarget &target)
      : b(host), module(module), facts(op, target), operands(op) {}

  /// The launches of lot.attention, which writes `init` and residuals.
  void emitForward(Value init);

protected:
  /// Asserts what kernels take for granted of `memref`'s rows.
  void checkLayout(Value memref, StringRef name, int64_t bytes);
  /// 0 where all rows begin at multiples of so many bytes.
  Value getOddBytes(Value memref, int64_t bytes);
  void checkInputs();
  void makeSides();
  void makeResidentSides();
  void makeBuffers(bool gradients);
  void makeResiduals(Value problems);
  void freeBuffers();
  /// Of both sides.
  Value countProblems() {
    return arith::AddIOp::create(b, querySide.problems, keySide.problems);
  }
  /// Of the GPU that the call runs on.
  Value countMultiprocessors();
  Value makeBuffer(ArrayRef<int64_t> shape, ValueRange sizes, Type element);
  Folded makeFolded(Value problems, int64_t columns, bool rows, bool sums,
                    bool extra);
  /// Whether states and G go to the residuals, or come from there. Gradients of
  /// masses need a G that is more exact than that of a bf16 forward.
  bool usesResiduals() const {
    return operands.residuals && !(facts.exactProducts && facts.io.isBF16());
  }

  /// Pivots as the products read them, with log masses in base 2; G of the
  /// residuals, too.
  void emitPack();
  void emitPackPivots(Kernel &k);
  void emitPackValues(Kernel &k, Value block);
  /// Half-steps of both sides: a pass over all tokens each.
  void emitSweeps();
  /// All of them in one launch, in order: a block waits for the potentials of
  /// its problem alone, for which the others leave time.
  void emitSweepsTogether();
  /// G = R2 V in parts of a chunk of keys.
  void emitGather();
  /// The sum of parts, in order: those of a key problem are in `group` problems
  /// one after the other. Times the glue ratio.
  void emitFold(StringRef name, const Folded &target, Value parts,
                Value extraParts, Value group, Value chunks);
  /// O = R1 G.
  void emitApply(Value out);
  /// The same of packed classes: rows are streamed.
  void emitStreamGather();
  void emitStreamApply(Value out);
  /// All of a side in one launch, where its scores fit in registers: the
  /// half-steps, then parts of G or O.
  void emitResidentKeys();
  void emitResidentQueries(Value out);
  /// Both sides in one launch, keys first, with factors in 16 bits. Without
  /// `out` queries leave nothing but their states.
  void emitPackedResident(Value out);
  /// Place `at` in the order of both sides' problems, after `turn` exchanges;
  /// their number then.
  Value emitPackedResident(Kernel &k, Value out, Value at, Value turn);
  /// Room in buffers.mail for teams of both sides.
  void needMail(Value teamSize);
  /// Spreads the teams of a kernel over the GPU where that is better.
  void spreadTeams(Kernel &k, Value teamSize);
  /// Queries of a key problem, and clusters of keys that lead.
  std::pair<Value, Value> makeClusterOrder();
  /// `resident` where both sides fit, else `streaming`.
  void emitBySize(function_ref<void()> resident,
                  function_ref<void()> streaming);

  // Parts of kernels.

  /// What a block of a sweep does.
  struct Sweep {
    Value step;  ///< sweeps before
    Value isKey; ///< i1
    Side side;
  };
  Value countBlocks(const SideOperands &side);
  Sweep locateSweep(Kernel &k, Value step, Value block, Value keyBlocks);
  /// The same of a launch with all sweeps, of countSweepBlocks blocks: the one
  /// of its side, which for queries may be one less.
  Sweep locateSweep(Kernel &k);
  Value countSweepBlocks(int64_t keySweeps, int64_t querySweeps);
  /// The sums of a block, to buffers.partials.
  void emitPartialSums(Kernel &k, const Sweep &sweep, const Matrix &pivots,
                       TokenStream *stream);
  void emitPivotStep(Kernel &k, const Sweep &sweep);

  /// Of the first kernel of an op, Overlap::WithNext: what is there before has
  /// ended when it begins.
  Kernel makeKernel(StringRef name, int64_t warps = Facts::kWarps,
                    Overlap overlap = Overlap::WithBoth) {
    return Kernel(module, name, b.getLoc(), warps * kWarp, facts.sharedLimit,
                  facts.overlaps ? overlap : Overlap::None);
  }
  Matrix stagePivots(Kernel &k, const Side &side);
  /// Whether kernels can take pivots as they are: nothing that `pack` leaves is
  /// needed from the start then.
  bool readsPivots() const {
    return facts.tensorCores && facts.pivotParts == 1 && !operands.pivotMass;
  }
  /// For products with rows in shared memory; emitCopies has to follow.
  StagedCopy stageOwnPivots(Kernel &k, const Side &side);
  /// The same as TokenStream takes them. Its kernels have few enough warps for
  /// two blocks of a multiprocessor to have all registers that they need.
  Matrix stageForStream(Kernel &k, const Side &side);
  /// The same for a stream that has started, in a kernel of
  /// Overlap::WithBothLater: waits for the kernels before.
  void stagePivots(Kernel &k, const Side &side, TokenStream &stream);
  /// Those of a sweep, which starts `stream` if rows are streamed.
  Matrix stagePivots(Kernel &k, const Side &side, bool streamed,
                     std::optional<TokenStream> &stream);
  static constexpr int64_t kStreamWarps = 6;
  /// Blocks of four warps together that a multiprocessor has registers for.
  static constexpr int64_t kGroupBlocks = 4;
  /// Where sums of rows take half of a warp's registers.
  static constexpr int64_t kStreamSumWarps = 4;
  /// The pivot potential number `step` of a side into shared memory [pivots];
  /// the first block of a problem notes number 0. Needs a barrier before use.
  Value emitState(Kernel &k, const Side &side, Value step);
  /// One that was noted, as emitState.
  Value loadState(Kernel &k, const Side &side, int64_t step);
  /// A copy of source[leading, pivots] in shared memory, as emitState.
  Value stageVector(Kernel &k, Value source, ValueRange leading);
  /// What plans are made of: columns of the last potential (key side: less
  /// mass) and of the one that the last token step read.
  struct PlanState {
    Value last, prev; ///< prev: null without a token step
    bool keySide;
  };
  PlanState emitPlanState(Kernel &k, const Side &side, bool keySide);
  /// The plan of a tile, and, if asked for, its token step.
  Tile emitPlan(Kernel &k, const Tile &scores, const Rows &rows,
                const PlanState &state,
                std::optional<TokenStep> *step = nullptr);
  /// last - mass of the pivots, in a vector of its own.
  Value emitLessMass(Kernel &k, const Side &side, Value last);
  /// What the rows of R1 G are multiplied by. `slope` becomes 1 over the row
  /// sum that divides it, 0 where none does.
  Value emitRowFactor(Kernel &k, const Tile &plan, const Rows &rows,
                      Value rowSums, Value scale, int64_t row,
                      Value *slope = nullptr);
  /// The same from sum_j R_ij rowSums_j.
  Value emitRowFactor(Kernel &k, Value sum, const Rows &rows, Value scale,
                      int64_t row, Value *slope = nullptr);
  /// The key problem of a block of the query side.
  Value getKeyProblem(Kernel &k, const Side &side);
  /// A loop of each warp over its tiles of the block's chunk; `body` where a
  /// token has mass, else `absent`, if there is one.
  Values
  forTiles(Kernel &k, const Side &side, const Values &init,
           function_ref<Values(Value tile, const Rows &, ValueRange)> body,
           function_ref<void(Value tile)> absent = nullptr);

  ImplicitLocOpBuilder &b;
  gpu::GPUModuleOp module;
  Facts facts;
  AttentionOperandValues operands;

  Value query, key, value;
  Value pivotOperand, pivotMassOperand, glueMassOperand;
  Value batch, pivotSets;
  SideOperands querySide, keySide;
  /// The same in chunks of the blocks of a cluster.
  SideOperands residentQueries, residentKeys;
  Value isResident;         ///< i1: both sides fit; null: never
  Value isHalf;             ///< i1: in blocks of half the warps; null: never
  bool noteStates = false;  ///< for reverse mode
  bool statesKnown = false; ///< reverse mode: from the residuals, as G
  Value multiprocessors;
  Value mailBlocks; ///< that buffers.mail has room for; null: none
  Value partChunks; ///< of buffers.gathered; null: of passes or clusters
  KernelBuffers buffers;
  Values allocated;
};

/// `memref` with every size and stride dynamic, but its `inner` last sizes and
/// a last stride of 1 if there are any; a dimension of stride 0 for each that
/// it lacks, before dimension `at`.
Value makeView(ImplicitLocOpBuilder &b, Value memref, int64_t rank, int64_t at,
               int64_t inner);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_ATTENTIONKERNELS_H
