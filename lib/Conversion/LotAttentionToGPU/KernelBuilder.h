//===- KernelBuilder.h - What all kernels are written with ------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A builder with short names for the arithmetic, control flow, memory and warp
// operations of the kernels. It knows nothing of attention.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_KERNELBUILDER_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {

/// Lanes of a warp.
inline constexpr int64_t kWarp = 32;

using Values = SmallVector<Value>;

class KernelBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // Constants.
  Value index(int64_t value);
  Value f32(double value);
  Value noMass(); ///< -inf
  Value flag(bool value);

  // Index arithmetic; adding 0 and multiplying by 1 give the operand.
  Value add(Value a, Value b);
  Value add(Value a, int64_t b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b);
  Value div(Value a, Value b);
  Value div(Value a, int64_t b);
  Value rem(Value a, Value b);
  Value rem(Value a, int64_t b);
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  Value less(Value a, Value b);
  // Words, of 32 bits: a constant (its bits), an index below 2^32, and back.
  Value word(int64_t value);
  Value toWord(Value index);
  Value widen(Value word);
  /// A number below 2^31: half of it need not be computed.
  Value narrow(Value a);
  /// Of such numbers, in half the instructions or fewer.
  Value lessNarrow(Value a, Value b);
  Value minNarrow(Value a, Value b);
  /// Of numbers from -2^31 on.
  Value minSigned(Value a, Value b);
  Value lessSigned(Value a, Value b);
  Value divNarrow(Value a, Value b);
  Value remNarrow(Value a, Value b);
  Value equal(Value a, int64_t b);

  // f32 arithmetic.
  Value addf(Value a, Value b);
  Value subf(Value a, Value b);
  Value mulf(Value a, Value b);
  Value negf(Value a);
  Value maxf(Value a, Value b);
  Value minf(Value a, Value b);
  Value fma(Value a, Value b, Value c);
  /// ex2.approx.ftz, lg2.approx.ftz, rcp.approx.ftz of PTX.
  Value exp2(Value a);
  Value log2(Value a);
  Value reciprocal(Value a);
  Value greater(Value a, Value b); ///< false on NaN
  Value isLive(Value log2Mass);    ///< > -inf
  Value toFloat(Value index);
  /// The largest power of two up to `a`, a normal number.
  Value powerOfTwo(Value a);

  // i1.
  Value both(Value a, Value b);
  Value either(Value a, Value b);
  Value invert(Value a);
  Value select(Value condition, Value a, Value b);

  // Control flow.
  using LoopBody = function_ref<Values(Value iv, ValueRange carried)>;
  Values forLoop(Value lo, Value hi, Value step, ValueRange init,
                 LoopBody body);
  void forLoop(Value lo, Value hi, Value step,
               function_ref<void(Value iv)> body);
  /// part(0) + part(1) + ... up to `count`, in this order; `atOnce` parts are
  /// read together. `part` may be asked for one that does not count, below
  /// `count`.
  Value sumInOrder(Value count, function_ref<Value(Value i)> part,
                   Value start = Value(), int64_t atOnce = 8);
  Values ifElse(Value condition, TypeRange types, function_ref<Values()> yes,
                function_ref<Values()> no);
  void ifThen(Value condition, function_ref<void()> yes);

  // Memory. Vector accesses are aligned to their size.
  Value load(Value memref, ValueRange indices);
  void store(Value value, Value memref, ValueRange indices);
  Value loadVector(Value memref, ValueRange indices, int64_t count);
  void storeVector(Value vector, Value memref, ValueRange indices);
  Value dim(Value memref, int64_t i);
  /// Rows [.., columns] of `memref` [.., rows, columns] from column `from` on.
  Value viewRows(Value memref, ValueRange leading, Value from);

  // Vectors.
  Value pack(ValueRange elements);
  Value element(Value vector, int64_t i);
  Value zeros(VectorType type);
  /// Floats or vectors of them to another element type.
  Value convert(Value value, Type element);
  /// The bits as 32-bit words.
  Values words(Value vector);
  /// A word as two values of a 16-bit type.
  Value fromWord(Value word, Type element);
  /// What the places of 16 bytes in a row of shared memory, `vectors` (2, 4 or
  /// 8) of them, are exchanged by (xor), so that eight rows that ldmatrix reads
  /// together are in different banks.
  Value exchangeInRow(Value row, int64_t vectors) {
    return rem(div(row, 8 / vectors), vectors);
  }
  /// The low halves of two f32 as a word, or the high ones.
  Value pickHalves(Value a, Value b, Value high);

  // Threads.
  Value thread(); ///< in the block
  /// While it lives, the thread, lane and warp are computed anew: what depends
  /// on them is not kept in registers from before.
  class FreshThread {
  public:
    explicit FreshThread(KernelBuilder &b);
    /// The same for those inside from `word`, which has the thread in its
    /// lowest kThreadBits and a number in as many more. Where the number
    /// changes from round to round of a loop, nothing stays the same, not even
    /// for assemblers, which see that two copies of the thread are.
    FreshThread(KernelBuilder &b, Value word);
    ~FreshThread() {
      b.threadHere = before;
      b.threadWord = wordBefore;
    }

  private:
    void setThread(Value word);
    KernelBuilder &b;
    Value before, wordBefore;
  };
  static constexpr int64_t kThreadBits = 10;
  Value block();
  Value lane();
  Value warp();
  void barrier();
  void warpBarrier();
  /// A barrier of the block that says whether any thread came with `condition`.
  Value barrierAny(Value condition);
  /// The value of lane `lane ^ mask`.
  Value exchange(Value value, int64_t mask);
  /// The value of lane `from`.
  Value fromLane(Value value, Value from);
  /// Sum or maximum over the lanes that differ in the bits of `masks`.
  Value sumLanes(Value value, ArrayRef<int64_t> masks);
  Value maxLanes(Value value, ArrayRef<int64_t> masks);
  Value anyLane(Value condition);
  /// i32: a bit of each lane.
  Value ballot(Value condition);
  /// The largest f32 of a warp, rounded to a whole number towards 0.
  Value maxOfWarp(Value value);
  /// The largest f32 of a warp where none is negative; NaN if any is.
  Value maxOfPositive(Value value);

  // Counters in global memory, by which blocks tell others what they are done
  // with.

  /// Adds 1 to counter `at` when all threads of the block are here; what they
  /// wrote before is there for who sees it.
  void signal(Value counters, Value at);
  /// signal; whether `count` blocks have done so since the counter was at 0 or
  /// this was true for another block, the same in all threads. What they wrote
  /// before is there.
  Value isLastToSignal(Value counters, Value at, Value count);
  /// The same where a signal of that block follows before those of the next
  /// `count`.
  Value isLastBeforeOwn(Value counters, Value at, Value count);
  /// Waits until counter `at` has reached `count`.
  void waitForSignals(Value counters, Value at, Value count);

  // Kernels of a stream that overlap.

  /// From here on the next kernel of the stream may start.
  void letNextStart();
  /// Waits until the kernels before have ended, with all that they wrote.
  void waitForEarlier();

  // Clusters of blocks.
  Value cluster(); ///< its number
  Value clusterRank();
  Value clusterSize();
  /// Waits for all blocks of the cluster, with what they wrote to each other.
  void clusterBarrier();
  /// The same in two parts, for transaction barriers alone: others see nothing
  /// else that was written before.
  void clusterArrive();
  void clusterWait();

  // Transaction barriers: 64-bit words `at` of `words` in shared memory. A
  // phase ends when as many bytes have come in as the block said it expects.
  /// Writes an f32 and `tag`, an index other than 0, in one word that other
  /// blocks wait for; `mail` of 64-bit words.
  void postTagged(Value value, Value tag, Value mail, Value at);
  /// Waits for `tag`, and returns what is beside it.
  Value takeTagged(Value tag, Value mail, Value at);

  /// For all `count` words; a barrier of the cluster has to follow.
  void initTransactions(Value words, int64_t count);
  void expectBytes(Value words, Value at, Value bytes);
  void waitForBytes(Value words, Value at, Value parity);
  /// Sends an f32 to position `to` of `shared` in block `rank` of the cluster,
  /// where it counts for transaction barrier `at`.
  void sendTo(Value rank, Value value, Value shared, Value to, Value words,
              Value at);

private:
  /// Whether two indices are plainly below 2^32: comparisons take a fourth of
  /// the instructions.
  bool areNarrow(Value a, Value b);
  Value threadHere;
  Value threadWord; ///< see FreshThread; or null
  Value addToCounter(Value counters, Value at);
  /// signal; whether it was number `count` of each `round`.
  Value isNumber(Value counters, Value at, Value count, Value round);
  /// The address of 8- or 4-byte element `at` of an array in shared memory.
  Value sharedPointer(Value memref, Value at);
  Value globalPointer(Value memref, Value at);
};

/// Shared memory of several parts, of bytes that views may share.
struct SharedRegion {
  KernelBuilder &b;
  Value bytes; ///< shared [parts * partBytes]
  int64_t parts, partBytes;

  /// [parts][shape] of `element` in bytes [offset, ...) of each part; rows of a
  /// two-dimensional shape are `stride` elements apart.
  Value view(int64_t offset, ArrayRef<int64_t> shape, int64_t stride,
             Type element) const;
};

/// A view of dynamic shared memory, laid out one after the other.
class SharedMemory {
public:
  SharedMemory(KernelBuilder &b, int64_t limit) : b(b), limit(limit) {}

  int64_t getLimit() const { return limit; }
  /// Whether `size` bytes can be spared for what need not be here: room is kept
  /// for small vectors.
  bool hasRoom(int64_t size) const {
    constexpr int64_t kReserve = 24 * 1024;
    return bytes + size + kReserve <= limit;
  }

  /// Row-major [shape] of `element`, aligned to so many bytes, up to 1024.
  Value allocate(ArrayRef<int64_t> shape, Type element,
                 int64_t alignment = 128);
  /// A part for each of `parts`, whose parts in turn are laid out by views.
  SharedRegion allocateRegion(int64_t parts, int64_t partBytes,
                              int64_t alignment = 128);
  /// The same behind all else, even what is allocated later: a launch may have
  /// fewer parts. Once.
  SharedRegion allocateLast(int64_t parts, int64_t partBytes);
  /// Of all, with so many parts of the last.
  int64_t getBytes(int64_t parts = 0) const {
    return std::max(bytes, most) + parts * lastBytes;
  }
  /// What is allocated from here on takes the place of what was, after `from`
  /// bytes: for the other branch of a kernel.
  void rewind(int64_t from) {
    most = getBytes();
    bytes = from;
  }
  /// Puts the last region into its place, when all is allocated.
  void finish();

private:
  Value getBase();
  KernelBuilder &b;
  int64_t limit;
  Value base;
  int64_t bytes = 0, most = 0, lastBytes = 0;
  arith::ConstantIndexOp lastOffset;
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_KERNELBUILDER_H
