//===- WarpRing.h - Rows that a warp copies ahead of their use --*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_WARPRING_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_WARPRING_H

#include "Sides.h"

namespace mlir::lot {

/// Rows of 16-bit values of the tiles of each warp, in shared memory of its
/// own, some tiles ahead of their use. A turn is a tile, or some columns of
/// one. No barrier of the block is needed; memory that other rings of the same
/// warp have been in can be used again.
class WarpRing {
public:
  /// Rows of `columns` (a multiple of 8) at `stride`, in bytes [offset, offset
  /// + bytes) of every warp's part of `memory`. So that eight rows that
  /// ldmatrix reads are in different banks, they are some bytes apart
  /// (`stride`), or, if they are `packed`, of 16, 32 or 64 columns, their 16
  /// bytes are exchanged: locateColumn.
  WarpRing(Kernel &k, const SharedRegion &memory, Type element, int64_t columns,
           int64_t stride, int64_t offset, int64_t bytes, bool packed = false);
  /// Of all warps of a block, the only part of `memory`: the tiles of a turn
  /// lie one after the other, packed.
  WarpRing(Kernel &k, const SharedRegion &memory, Type element, int64_t columns,
           int64_t slots);
  /// Where column `column`, a multiple of 8, of row `row` of a tile is.
  Value locateColumn(Value row, Value column);

  int64_t getSlots() const { return slots; }
  /// Rows from a turn to the next.
  int64_t getPitch() const { return pitch; }

  /// Where rows come from.
  struct Source {
    const Side &side;
    Value tokens; ///< [.., .., length, columns]
    Values leading;
    int64_t columns;       ///< a multiple of 8; zeros from there on
    Value first = Value(); ///< added to columns; null: 0
  };
  /// What a lane needs for its part of any row, in registers.
  struct Lane {
    Value pointer; ///< index: the address of its columns of the first row
    Value stride;  ///< i32: bytes from row to row
    Value last;    ///< i32: the last row
    Value to;      ///< i32: the address of its place in the ring's first row
  };
  /// Nothing where rows have masses, or lanes other columns from row to row.
  std::optional<Lane> startLane(const Source &source);
  /// Starts to copy the rows of a tile, columns [first, first + columns), for
  /// `turn`; null source: nothing, so that turns can be counted. Rows of tokens
  /// that have no mass are zeros; those past the last token are copies of it.
  /// Nothing, too, where `condition` is there and false. `lane` of the source
  /// where it has one.
  void copy(const Source *source, const std::optional<Lane> &lane, Value tile,
            int64_t first, int64_t turn, Value condition = Value());
  /// The same of a turn that is known when the kernel runs.
  void copy(const Source &source, const std::optional<Lane> &lane, Value tile,
            int64_t first, Value turn, Value condition);
  /// The same for a turn whose rows begin at `firstRow`; rows that are not in
  /// the chunk are zeros.
  void copyTo(const Source *source, Value tile, int64_t first, Value firstRow);

  /// Copies of tiles that follow each other: a lane's place in memory goes on
  /// by the same distance.
  struct Walk {
    Value memory;    ///< what rows are in, as one dimension
    Value rowStride; ///< elements
    Value first;     ///< the lane's place in the rows of the first tile
  };
  /// Nothing where lanes have other columns from row to row.
  std::optional<Walk> startWalk(const Source &source, Value tile) const;
  /// copyTo of columns [0, columns), the lane's place in `tile` being `place`.
  /// `present`: i32, a bit for each row that is no zeros; null: those of the
  /// chunk.
  void copyFrom(const Source &source, const Walk &walk, Value place, Value tile,
                Value firstRow, Value present);
  /// The same of all columns of rows that begin at `firstRow` of the ring,
  /// where `condition` is true.
  void copyFrom(const Source &source, const Lane &lane, Value tile,
                Value firstRow, Value condition);
  /// Waits for the rows of the turn before which `ahead` copies were started.
  void wait(int64_t ahead);
  /// Rows of `turn`: their index among those of `getRows`.
  Value getFirstRow(int64_t turn) { return k.index(firstRowOf(turn)); }
  Value getFirstRow(Value turn);
  Value getRows() const { return rows; }

private:
  void copyRows(const Source &source, Value tile, int64_t first, Value firstRow,
                bool zeros);
  void copyRows(const Source &source, const Lane &lane, Value tile,
                int64_t first, Value to, int64_t firstRow);
  /// The memory of `tokens` from an element on.
  Value flatten(Value tokens, Value offset) const;
  /// The address of the lane's place in a row of the ring.
  Value placeOf(const Lane &lane, Value row);
  /// Ends a turn.
  void endCopies();
  int64_t firstRowOf(int64_t turn) const { return turn % slots * pitch; }

  Kernel &k;
  int64_t columns, stride, slots, pitch = Facts::kTile;
  bool packed;
  Value rows; ///< shared [warps][rows][columns]
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_WARPRING_H
