//===- Emitter.h - Vector code for one head ---------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What the emitters of the head ops share: a builder that knows the lanes and
// the state type, and the three building blocks of all of them (tile loads,
// register-blocked products, plan tiles).
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTHEADTOVECTOR_EMITTER_H
#define LOT_LIB_CONVERSION_LOTHEADTOVECTOR_EMITTER_H

#include "lot/Conversion/Chunks.h"
#include "lot/Conversion/HeadConventions.h"
#include "lot/IR/Lot.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/Support/MathExtras.h"

#include <functional>

namespace mlir::lot {

/// Vectors of tokens in one tile: the token sums of a tile and the token
/// scalings of the tile before live in registers together.
constexpr int64_t kTileVectors = 4;

/// A builder over vectors of `lanes` state-type values (lanes are tokens, or
/// value columns in the value products).
class Emitter : public ImplicitLocOpBuilder {
public:
  Emitter(Location loc, OpBuilder &b, CPUScheduleAttr schedule,
          FloatType stateType);

  int64_t lanes() const { return schedule.getLanes(); }
  int64_t tile() const { return schedule.getTokenTile(); }
  FloatType scalarType() const { return stateType; }
  VectorType vectorType() const { return vecType; }
  CPUScheduleAttr getSchedule() const { return schedule; }

  /// Constants.
  Value index(int64_t value);
  Value scalar(double value);
  Value splat(double value);

  /// Index arithmetic; adding 0 returns the operand.
  Value addIndex(Value a, int64_t b);
  Value addIndex(Value a, Value b);
  Value mulIndex(Value a, int64_t b);
  Value minIndex(Value a, Value b);

  /// First token of vector `v` of a tile.
  Value vectorStart(int64_t v) { return index(v * lanes()); }

  /// Memory, in the state type unless the memref says otherwise.
  Value load(Value memref, ValueRange indices);
  void store(Value value, Value memref, ValueRange indices);
  Value loadVector(Value memref, ValueRange indices);
  void storeVector(Value value, Value memref, ValueRange indices);
  Value loadSplat(Value memref, ValueRange indices);
  /// A buffer on the stack, aligned for vectors.
  Value scratch(ArrayRef<int64_t> shape, Type element = Type());
  void fill(Value memref, double value);

  /// Arithmetic on scalars or vectors of the state type.
  Value broadcast(Value scalar);
  Value fma(Value a, Value b, Value c);
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value max(Value a, Value b);
  Value min(Value a, Value b);
  Value exp2(Value a);
  Value log2(Value a);
  Value select(Value condition, Value a, Value b);
  /// The divisor of a token step. Row sums of live tokens are at least e^-60
  /// (e^-600 in double); a sum of 0 belongs to a side without mass, where what
  /// is divided ends up times 0 and must not become inf before.
  Value divisor(Value sum);
  /// a > b, false on NaN.
  Value greater(Value a, Value b);
  Value reduceAdd(Value vector);
  Value reduceMax(Value vector);
  /// From the io type to the state type or back; vectors or scalars.
  Value convert(Value value, Type elementType);

  using LoopBody = function_ref<SmallVector<Value>(Value iv, ValueRange args)>;
  /// scf.for with loop-carried values.
  ValueRange forLoop(Value lo, Value hi, int64_t step, ValueRange init,
                     LoopBody body);
  /// scf.for without.
  void forEach(Value lo, Value hi, int64_t step,
               function_ref<void(Value iv)> body);
  void forEach(int64_t hi, function_ref<void(Value iv)> body);

  /// scf.if; both branches give values of `types`.
  using BranchBody = function_ref<SmallVector<Value>()>;
  ValueRange ifElse(Value condition, TypeRange types, BranchBody yes,
                    BranchBody no);

  /// Emits `body(start, block)` for whole blocks in [0, size) and
  /// `body(start, count)` for what is left; sizes are static.
  void forBlocks(int64_t size, int64_t block,
                 function_ref<void(Value start, int64_t count)> body);

private:
  CPUScheduleAttr schedule;
  FloatType stateType;
  VectorType vecType;
};

//===----------------------------------------------------------------------===//
// Tile loads and stores: the only places that know strides, element types,
// tails and absent tokens.
//===----------------------------------------------------------------------===//

/// The tokens of one tile: [first, first + tile) of `length`. Lanes past the
/// end repeat the last token, whose mass there is 0.
struct TokenTile {
  Value first;
  Value length;
};

/// The rows of one tile as memref<token_tile x columns> of the state type with
/// a unit inner stride: the operand's own memory where it can be read as it is,
/// else a copy in `scratch` [token_tile, columns], whose columns may be more
/// than the operand's (padding). With `log2Mass`, rows of tokens of mass 0 are
/// copied as 0, whatever memory holds.
Value readRows(Emitter &e, Value memory, TokenTile tile, Value scratch,
               Value log2Mass);

/// Where the rows of one tile of output are written.
struct OutputRows {
  Value rows;    ///< memref<token_tile x columns> of the io type
  Value scratch; ///< what has to be copied afterwards
  Value direct;  ///< i1: rows are the memory itself; null: never
};
/// `scratch` [token_tile, columns] is of the io type; its columns may be more
/// than the operand's.
OutputRows openRows(Emitter &e, Value memory, TokenTile tile, Value scratch);
void closeRows(Emitter &e, const OutputRows &open, TokenTile tile,
               Value memory);

/// Asks for the cache lines of `count` rows from `row` on; rows past the end
/// do no harm.
void prefetchRows(Emitter &e, Value memory, Value row, int64_t count);

/// The rows of the tile after `tile`, spread over a product of `products` rows:
/// the share of its rows [row, row + count).
void prefetchNextTile(Emitter &e, Value memory, TokenTile tile, Value row,
                      int64_t count, int64_t products);

/// log2 mass > -inf: a mask, or a bit for a scalar.
Value isLive(Emitter &e, Value log2Mass);

/// How value columns lie in vectors: vector v of `gathered` holds the columns
/// from v * lanes on, the last one the last `lanes` columns. Fewer columns than
/// lanes are padded. Row sums are a column after the vectors.
struct Columns {
  int64_t count, lanes;
  int64_t vectors() const { return llvm::divideCeil(count, lanes); }
  int64_t width() const { return std::max(count, lanes); }
  int64_t rowSum() const { return vectors() * lanes; }
  /// The column in memory of the vector at column `c` of `gathered`.
  Value inMemory(Emitter &e, Value c) const {
    if (count < lanes || count % lanes == 0)
      return c;
    return e.minIndex(c, e.index(count - lanes));
  }
};

//===----------------------------------------------------------------------===//
// Parts of a pass: ranges of its chunks
//===----------------------------------------------------------------------===//

/// The chunks [first, end) of a pass over `length` tokens: what one thread
/// does.
struct PassPart {
  Value length;
  Chunks chunks;
  Value first, end;

  /// The end of the part's tiles.
  Value endTile(Emitter &e) const;

  /// A loop over the chunks, with their tiles [start, stop); values may be
  /// carried from one chunk to the next, but the sums must not depend on them.
  using ChunkBody = function_ref<SmallVector<Value>(
      Value chunk, Value start, Value stop, ValueRange args)>;
  ValueRange forChunks(Emitter &e, ValueRange init, ChunkBody body) const;
  void forChunks(
      Emitter &e,
      function_ref<void(Value chunk, Value start, Value stop)> body) const;

  /// A loop over the tiles [start, stop), or over all of the part.
  void forTiles(Emitter &e, Value start, Value stop,
                function_ref<void(Value index, TokenTile tile)> body) const;
  void forTiles(Emitter &e,
                function_ref<void(Value index, TokenTile tile)> body) const;
};

/// The rows x columns values from `offset` on in row `chunk` of the partials.
Value getPartial(Emitter &e, Value partials, Value chunk, int64_t offset,
                 int64_t rows, int64_t columns);

/// dst[i][c] = the sum of all partials, in the order of the chunks; `onto` what
/// it holds.
void foldPartials(Emitter &e, Value partials, Value count, int64_t rows,
                  int64_t columns, Value dst, bool onto = false);

/// The same for lane sums [r][lanes]: sums_j is the sum over chunks and lanes.
void foldSums(Emitter &e, Value partials, Value count, int64_t r, Value sums);

//===----------------------------------------------------------------------===//
// Register-blocked product
//===----------------------------------------------------------------------===//

/// C[row][vector] (+)= sum_k A[row][k] B[k][vector], blocked by the schedule.
struct Product {
  int64_t rows, vectors, depth;
  std::function<Value(Value row, Value k)> a; ///< one entry, broadcast
  std::function<Value(Value k, Value column)> b;
  std::function<Value(Value row, Value column)> init;
  std::function<void(Value acc, Value row, Value column)> done;
  /// Called before the blocks of `count` rows from `row` on.
  std::function<void(Value row, int64_t count)> prefetch;
};
void emitProduct(Emitter &e, const Product &product);

/// What scores are made of.
struct Scores {
  Value tokens;   ///< [n, d] of the io type
  Value pivots;   ///< packed, [d, vectors of pivots]
  Value log2Mass; ///< absent tokens have the score 0; null: all are live
  FloatAttr clamp;
  int64_t numPivots;
  Value rows, products; ///< scratch: see makeScores
};
/// `log2Mass` is used only where `maskedTokens` says so.
Scores makeScores(Emitter &e, Value tokens, Value pivots, Value log2Mass,
                  bool maskedTokens, FloatAttr clamp, int64_t numPivots);

/// Scratch [r] of biases of 0.
Value makeNoBias(Emitter &e, int64_t r);

/// dst[at][j][token] = clip(tokens . pivots_j, clamp) + bias_j of one tile.
void emitScores(Emitter &e, const Scores &scores, TokenTile tile, Value bias,
                Value dst, ValueRange at);

//===----------------------------------------------------------------------===//
// Per-tile steps. Vectors of tokens come and go as kTileVectors values.
//===----------------------------------------------------------------------===//

using TileVectors = SmallVector<Value>;

/// sum_j D[tile][j][tokens] prev_j.
TileVectors emitTokenSums(Emitter &e, Value factor, Value tile, Value prev);

/// log2 sum_j 2^(scores[j][tokens] + bias_j) of a scratch tile; without `bias`
/// it is in the scores.
TileVectors emitTokenLogSums(Emitter &e, Value scores, int64_t pivots,
                             Value bias = Value());

/// The `kTileVectors` vectors of a token buffer at a tile.
TileVectors loadTokens(Emitter &e, Value buffer, Value first);

/// What the entries of a token are multiplied by: 1; 1 if it has mass, else 0;
/// or its mass.
enum class Numerator { one, live, mass };

/// Operands of a plan, as in the head ops.
struct Plan {
  Value log2Mass, mass, factor, scaled;
  Value prev, post, logPrev, logShift;
  bool tokenStep; ///< whether a token potential exists
  Numerator numerator;
  Scores scores;
  Value tile; ///< scratch [r, token_tile]
};

/// The operands that ops with a plan of `r` pivots share, at the same
/// positions.
template <typename OpTy>
Plan makePlan(Emitter &e, OpTy op, ValueRange args, int64_t r, bool tokenStep,
              Numerator numerator) {
  Scores scores = makeScores(e, args[0], args[2], args[3], op.getMaskedTokens(),
                             op.getClampAttr(), r);
  return {args[3],   args[4],   args[5], args[6],
          args[7],   args[8],   args[9], args[10],
          tokenStep, numerator, scores,  e.scratch({r, e.tile()})};
}

/// Entries of the plan of one tile are entries[j][token] * rowScale[token],
/// times post_j where `scaled` is true.
struct PlanEntries {
  Value entries; ///< memref<r x token_tile>
  TileVectors rowScale;
};
/// Query side: the scaled form reads the factor in place.
PlanEntries viewPlanTile(Emitter &e, const Plan &plan, Value tileIndex,
                         TokenTile tile);
/// Key side: the row scale is multiplied into the entries, in plan.tile.
void writePlanTile(Emitter &e, const Plan &plan, Value tileIndex,
                   TokenTile tile);

/// Whether a token of the tile has mass, i1.
Value isAnyLive(Emitter &e, Value log2Mass, TokenTile tile);

/// `present()` where a token of the tile has mass, else `absent()`. Without
/// `log2Mass` every tile has one.
void ifAnyLive(Emitter &e, Value log2Mass, TokenTile tile,
               function_ref<void()> present, function_ref<void()> absent);

//===----------------------------------------------------------------------===//
// Per op two emitters: `emitPart` does some chunks of the pass, `emitFold`
// takes their partials together. `args` stand for the operands, in their order.
//===----------------------------------------------------------------------===//

void emitPart(Emitter &e, HeadFactorOp op, ValueRange args, PassPart part);
void emitPart(Emitter &e, HeadSweepOp op, ValueRange args, PassPart part);
void emitPart(Emitter &e, HeadLogSweepOp op, ValueRange args, PassPart part);
void emitPart(Emitter &e, HeadGatherOp op, ValueRange args, PassPart part);
void emitPart(Emitter &e, HeadApplyOp op, ValueRange args, PassPart part);
void emitPart(Emitter &e, HeadAdjointOp op, ValueRange args, PassPart part);
void emitPart(Emitter &e, HeadAdjointSweepOp op, ValueRange args,
              PassPart part);
void emitPart(Emitter &e, HeadLogAdjointSweepOp op, ValueRange args,
              PassPart part);
void emitPart(Emitter &e, HeadScoreGradientOp op, ValueRange args,
              PassPart part);

using PassResults = SmallVector<Value>;
PassResults emitFold(Emitter &e, HeadFactorOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadSweepOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadLogSweepOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadGatherOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadApplyOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadAdjointOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadAdjointSweepOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadLogAdjointSweepOp op, ValueRange args,
                     Chunks chunks);
PassResults emitFold(Emitter &e, HeadScoreGradientOp op, ValueRange args,
                     Chunks chunks);

/// Not a pass over chunks: one function does all of it.
void emitHeadMass(Emitter &e, HeadMassOp op, ValueRange args);
void emitHeadFirstStep(Emitter &e, HeadFirstStepOp op, ValueRange args);
void emitHeadMassGradient(Emitter &e, HeadMassGradientOp op, ValueRange args);
void emitHeadAppendOnes(Emitter &e, HeadAppendOnesOp op, ValueRange args);
void emitHeadRowCotangent(Emitter &e, HeadRowCotangentOp op, ValueRange args);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTHEADTOVECTOR_EMITTER_H
