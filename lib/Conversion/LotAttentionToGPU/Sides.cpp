//===- Sides.cpp - What kernels know of a problem -------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sides.h"

using namespace mlir;
using namespace mlir::lot;

SideOperands SideOperands::in(Kernel &k) const {
  SideOperands result;
  for (auto member :
       {&SideOperands::tokens, &SideOperands::mass, &SideOperands::present,
        &SideOperands::length, &SideOperands::heads, &SideOperands::tokenGroup,
        &SideOperands::pivotGroup, &SideOperands::problems,
        &SideOperands::first, &SideOperands::chunkTokens, &SideOperands::chunks,
        &SideOperands::pivotBatch, &SideOperands::pivotHeads})
    result.*member = k.use(this->*member);
  return result;
}

SideOperands lot::select(Kernel &k, Value condition, const SideOperands &yes,
                         const SideOperands &no) {
  SideOperands result;
  for (auto member :
       {&SideOperands::tokens, &SideOperands::mass, &SideOperands::present,
        &SideOperands::length, &SideOperands::heads, &SideOperands::tokenGroup,
        &SideOperands::pivotGroup, &SideOperands::problems,
        &SideOperands::first, &SideOperands::chunkTokens, &SideOperands::chunks,
        &SideOperands::pivotBatch, &SideOperands::pivotHeads})
    if (yes.*member)
      result.*member = yes.*member == no.*member
                           ? yes.*member
                           : k.select(condition, yes.*member, no.*member);
  return result;
}

Side lot::locate(Kernel &k, const SideOperands &operands, Value block) {
  return locate(k, operands, k.divNarrow(block, operands.chunks),
                k.remNarrow(block, operands.chunks));
}

Side lot::locate(Kernel &k, const SideOperands &operands, Value problem,
                 Value chunk) {
  Side side;
  static_cast<SideOperands &>(side) = operands;
  side.chunk = chunk;
  side.problem = k.add(problem, side.first);
  side.batch = k.divNarrow(problem, side.heads);
  side.head = k.remNarrow(problem, side.heads);
  side.tokenHead = k.divNarrow(side.head, side.tokenGroup);
  side.pivotIndex =
      k.add(k.mul(k.mul(side.batch, side.pivotBatch), side.pivotHeads),
            k.divNarrow(side.head, side.pivotGroup));
  side.begin = k.mul(side.chunk, side.chunkTokens);
  side.end = k.min(k.add(side.begin, side.chunkTokens), side.length);
  return side;
}

static constexpr Value Side::*kNumbers[] = {
    &Side::batch,   &Side::head,  &Side::tokenHead, &Side::pivotIndex,
    &Side::problem, &Side::chunk, &Side::begin,     &Side::end,
};

SharedSide::SharedSide(Kernel &k, const Side &side, Value condition,
                       const SideOperands &yes, const SideOperands &no)
    : yes(yes), no(no) {
  // Of 32 bits: divisions of longer ones take long.
  numbers = k.shared.allocate({std::size(kNumbers) + 1}, k.getI32Type());
  k.ifThen(k.equal(k.thread(), 0), [&] {
    for (auto [i, member] : llvm::enumerate(kNumbers))
      k.store(arith::IndexCastUIOp::create(k, k.getI32Type(), side.*member),
              numbers, k.index(i));
    k.store(arith::ExtUIOp::create(k, k.getI32Type(), condition), numbers,
            k.index(std::size(kNumbers)));
  });
}

Side SharedSide::load(Kernel &k) const {
  auto read = [&](int64_t i) -> Value {
    return arith::IndexCastUIOp::create(k, k.getIndexType(),
                                        k.load(numbers, k.index(i)));
  };
  Side result;
  Value condition = k.equal(read(std::size(kNumbers)), 1);
  static_cast<SideOperands &>(result) = select(k, condition, yes, no);
  for (auto [i, member] : llvm::enumerate(kNumbers))
    result.*member = read(i);
  return result;
}

Rows lot::locateRows(Kernel &k, const Side &side, Value tile) {
  Rows rows;
  Value last = k.sub(side.length, k.index(1));
  Value row = k.add(tile, k.div(k.lane(), 4));
  Value uniform = k.negf(k.log2(k.toFloat(side.length)));
  for (int64_t i = 0; i < 2; ++i) {
    Value index = k.add(row, 8 * i);
    rows.live[i] = k.lessNarrow(index, side.end);
    rows.index[i] = k.minNarrow(index, last);
    rows.mass[i] = uniform;
    if (side.mass) {
      auto read = [&]() -> Values {
        Value mass =
            k.load(side.mass, {side.batch, side.tokenHead, rows.index[i]});
        return {k.mulf(mass, k.f32(llvm::numbers::log2e))};
      };
      rows.mass[i] = side.present ? k.ifElse(side.present, k.getF32Type(), read,
                                             [&] { return Values{uniform}; })[0]
                                  : read()[0];
      rows.live[i] = k.both(rows.live[i], k.isLive(rows.mass[i]));
    }
    rows.mass[i] = k.select(rows.live[i], rows.mass[i], k.noMass());
  }
  rows.masked = side.mass;
  return rows;
}

Values lot::ifAnyLive(Kernel &k, const Rows &rows, ValueRange carried,
                      function_ref<Values()> body, Value tile,
                      function_ref<void(Value tile)> absent) {
  if (!rows.masked)
    return body();
  return k.ifElse(k.anyLane(k.either(rows.live[0], rows.live[1])),
                  carried.getTypes(), body, [&] {
                    if (absent)
                      absent(tile);
                    return Values(carried);
                  });
}

std::pair<Value, Value> lot::locateToken(Kernel &k, const Side &side,
                                         Value tile, Value row) {
  Value token = k.add(tile, row);
  Value live = k.less(token, side.end);
  token = k.min(token, k.sub(side.length, k.index(1)));
  if (!side.mass)
    return {token, live};
  auto read = [&]() -> Values {
    return {k.isLive(k.load(side.mass, {side.batch, side.tokenHead, token}))};
  };
  Value massive = side.present
                      ? k.ifElse(side.present, k.getI1Type(), read,
                                 [&] { return Values{k.flag(true)}; })[0]
                      : read()[0];
  return {token, k.both(live, massive)};
}

Value lot::loadRow(Kernel &k, Value memref, ValueRange leading, Value column,
                   int64_t count, Value live) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t columns = type.getShape().back();
  auto vector = VectorType::get({count}, type.getElementType());
  Values at(leading);
  at.push_back(Value());
  Value loaded;
  if (columns % count == 0) {
    Value inside = k.less(column, k.index(columns));
    at.back() = k.select(inside, column, k.index(0));
    loaded = k.loadVector(memref, at, count);
    live = k.both(live, inside);
  } else {
    Values elements;
    Value zero =
        arith::ConstantOp::create(k, k.getZeroAttr(type.getElementType()));
    for (int64_t i = 0; i < count; ++i) {
      Value at_i = k.add(column, i);
      Value inside = k.less(at_i, k.index(columns));
      at.back() = k.select(inside, at_i, k.index(0));
      elements.push_back(k.select(inside, k.load(memref, at), zero));
    }
    loaded = k.pack(elements);
  }
  return k.select(live, loaded, k.zeros(vector));
}
