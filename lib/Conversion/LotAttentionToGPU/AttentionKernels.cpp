//===- AttentionKernels.cpp - One lot.attention as kernels ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"

#include "lot/Target/GPUTarget.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// Operands as kernels take them
//===----------------------------------------------------------------------===//

Value lot::makeView(ImplicitLocOpBuilder &b, Value memref, int64_t rank,
                    int64_t at, int64_t inner) {
  auto type = cast<MemRefType>(memref.getType());
  auto parts = memref::ExtractStridedMetadataOp::create(b, memref);
  SmallVector<OpFoldResult> sizes(parts.getSizes()),
      strides(parts.getStrides());
  SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
  SmallVector<int64_t> staticStrides(rank, ShapedType::kDynamic);
  while (static_cast<int64_t>(sizes.size()) < rank) {
    sizes.insert(sizes.begin() + at, b.getIndexAttr(1));
    strides.insert(strides.begin() + at, b.getIndexAttr(0));
  }
  for (int64_t i = 0; i < inner; ++i) {
    shape[rank - 1 - i] = type.getShape()[type.getRank() - 1 - i];
    sizes[rank - 1 - i] = b.getIndexAttr(shape[rank - 1 - i]);
  }
  if (inner) {
    staticStrides.back() = 1;
    strides.back() = b.getIndexAttr(1);
  }
  for (int64_t i = 0; i < rank - inner; ++i)
    sizes[i] = getValueOrCreateConstantIndexOp(b, b.getLoc(), sizes[i]);
  for (int64_t i = 0; i < rank - (inner ? 1 : 0); ++i)
    strides[i] = getValueOrCreateConstantIndexOp(b, b.getLoc(), strides[i]);
  auto result =
      MemRefType::get(shape, type.getElementType(),
                      StridedLayoutAttr::get(
                          b.getContext(), ShapedType::kDynamic, staticStrides));
  return memref::ReinterpretCastOp::create(b, result, parts.getBaseBuffer(),
                                           OpFoldResult(parts.getOffset()),
                                           sizes, strides);
}

void AttentionKernels::checkLayout(Value memref, StringRef name,
                                   int64_t bytes) {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto check = [&](Value value, Value expected, const Twine &what) {
    Value good =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, value, expected);
    cf::AssertOp::create(
        b, good, ("lot.attention: expected " + name + " " + what).str());
  };
  auto parts = memref::ExtractStridedMetadataOp::create(b, memref);
  int64_t width =
      getElementTypeOrSelf(memref.getType()).getIntOrFloatBitWidth() / 8;
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, memref);
  Value offset = arith::MulIOp::create(b, parts.getOffset(), index(width));
  Value odd = arith::RemUIOp::create(
      b, arith::AddIOp::create(b, address, offset), index(bytes));
  // A dimension of size 1 may have any stride.
  for (auto [size, stride] : llvm::zip(parts.getSizes().drop_back(),
                                       parts.getStrides().drop_back())) {
    Value rest = arith::RemUIOp::create(b, stride, index(bytes / width));
    Value several =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, size, index(1));
    odd = arith::OrIOp::create(
        b, odd, arith::SelectOp::create(b, several, rest, index(0)));
  }
  check(odd, index(0),
        "with rows that begin at multiples of " + Twine(bytes) + " bytes");
  auto type = cast<MemRefType>(memref.getType());
  if (type.getShape().back() != 1)
    check(parts.getStrides().back(), index(1), "with a last stride of 1");
}

/// The bytes that a row must begin at multiples of to be read `count` values at
/// a time.
static int64_t getRowBytes(Type io, int64_t columns, int64_t count) {
  int64_t width = io.getIntOrFloatBitWidth() / 8;
  return columns % count == 0 ? count * width : width;
}

void AttentionKernels::checkInputs() {
  int64_t count = facts.tensorCores ? 8 : 4;
  checkLayout(operands.query, "query", getRowBytes(facts.io, facts.d, count));
  checkLayout(operands.key, "key", getRowBytes(facts.io, facts.d, count));
  checkLayout(operands.value, "value",
              std::min<int64_t>(
                  16, getRowBytes(facts.io, facts.dv, facts.dv % 8 ? 4 : 8)));
}

void AttentionKernels::makeSides() {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto dim = [&](Value memref, int64_t i) -> Value {
    return memref::DimOp::create(b, memref, i);
  };
  auto divide = [&](Value x, Value y) -> Value {
    return arith::DivUIOp::create(b, x, arith::MaxUIOp::create(b, y, index(1)));
  };
  auto isBatched = [](Value memref, int64_t rank) {
    return memref && cast<MemRefType>(memref.getType()).getRank() == rank;
  };
  query = makeView(b, operands.query, 4, 0, 1);
  key = makeView(b, operands.key, 4, 0, 1);
  value = makeView(b, operands.value, 4, 0, 1);
  pivotOperand = makeView(b, operands.pivots, 4, 0, 2);
  auto pivotView = [&](Value mass) {
    return mass ? makeView(b, mass, 3, 0, 0) : Value();
  };
  pivotMassOperand = pivotView(operands.pivotMass);
  glueMassOperand = pivotView(operands.glueMass);
  bool batched = isBatched(operands.pivots, 4) ||
                 isBatched(operands.pivotMass, 3) ||
                 isBatched(operands.glueMass, 3);

  batch = dim(operands.query, 0);
  Value queryHeads = dim(operands.query, 1), keyHeads = dim(operands.key, 1);
  int64_t headDim = isBatched(operands.pivots, 4) ? 1 : 0;
  Value pivotHeads = dim(operands.pivots, headDim);
  Value pivotBatch = index(batched ? 1 : 0);
  pivotSets = batched ? arith::MulIOp::create(b, batch, pivotHeads).getResult()
                      : pivotHeads;

  auto makeSide = [&](Value tokens, Value length, Value mass, Value heads) {
    SideOperands side;
    side.tokens = tokens;
    side.length = length;
    side.mass = mass ? makeView(b, mass, 3, 1, 0) : Value();
    side.heads = arith::MaxUIOp::create(b, heads, index(1));
    side.problems = arith::MulIOp::create(b, batch, heads);
    // Borders are a function of the length alone: results do not depend on
    // what else is computed.
    Value longest = arith::CeilDivUIOp::create(b, length, index(kMaxGPUChunks));
    Value tiles = arith::CeilDivUIOp::create(b, longest, index(128));
    side.chunkTokens = arith::MaxUIOp::create(
        b, arith::MulIOp::create(b, tiles, index(128)), index(kGPUChunkTokens));
    side.chunks = arith::CeilDivUIOp::create(b, length, side.chunkTokens);
    side.pivotBatch = pivotBatch;
    side.pivotHeads = pivotHeads;
    return side;
  };
  keySide = makeSide(key, dim(operands.key, 2), operands.keyMass, pivotHeads);
  keySide.tokenGroup = divide(pivotHeads, keyHeads);
  keySide.tokenGroup = arith::MaxUIOp::create(b, keySide.tokenGroup, index(1));
  keySide.pivotGroup = index(1);
  keySide.first = index(0);
  querySide =
      makeSide(query, dim(operands.query, 2), operands.queryMass, queryHeads);
  querySide.tokenGroup = index(1);
  querySide.pivotGroup =
      arith::MaxUIOp::create(b, divide(queryHeads, pivotHeads), index(1));
  querySide.first = keySide.problems;

  if (facts.canBeResident()) {
    Value tokens = index(facts.residentTokens()), one = index(1);
    Value blocks = index(16);
    isResident = arith::ConstantOp::create(b, b.getBoolAttr(true));
    auto split = [&](SideOperands side) {
      Value least = arith::CeilDivUIOp::create(b, side.length, tokens);
      Value fits =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ule, least, blocks);
      isResident = arith::AndIOp::create(b, isResident, fits);
      // Even shares, in whole tiles of all warps.
      Value share = arith::CeilDivUIOp::create(
          b, side.length, arith::MaxUIOp::create(b, least, one));
      Value tiles = arith::CeilDivUIOp::create(b, share, index(128));
      side.chunkTokens = arith::MaxUIOp::create(
          b, arith::MulIOp::create(b, tiles, index(128)), index(128));
      side.chunks =
          arith::CeilDivUIOp::create(b, side.length, side.chunkTokens);
      return side;
    };
    residentKeys = split(keySide);
    residentQueries = split(querySide);
  }

  // A kernel for both sides needs both kinds of operands from each.
  if (static_cast<bool>(querySide.mass) != static_cast<bool>(keySide.mass)) {
    auto flag = [&](bool value) -> Value {
      return arith::ConstantOp::create(b, b.getBoolAttr(value));
    };
    querySide.present = flag(static_cast<bool>(querySide.mass));
    keySide.present = flag(static_cast<bool>(keySide.mass));
    (querySide.mass ? keySide : querySide).mass =
        querySide.mass ? querySide.mass : keySide.mass;
  }
}

Value AttentionKernels::makeBuffer(ArrayRef<int64_t> shape, ValueRange sizes,
                                   Type element) {
  Value buffer = memref::AllocOp::create(b, MemRefType::get(shape, element),
                                         sizes, b.getI64IntegerAttr(128));
  allocated.push_back(buffer);
  return buffer;
}

Folded AttentionKernels::makeFolded(Value problems, int64_t columns,
                                    bool gradients, bool extra) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Type f32 = b.getF32Type();
  int64_t pivots = facts.pivots();
  Folded folded;
  folded.columns = columns;
  folded.transposed =
      makeBuffer({kDynamic, columns, pivots}, problems, facts.productType(b));
  if (gradients) {
    folded.sums = makeBuffer({kDynamic, pivots, columns}, problems, f32);
    RowFormat format = facts.valueFormat();
    folded.rows = makeBuffer({kDynamic, pivots, format.stride()}, problems,
                             facts.rowType(b, format));
  }
  if (extra)
    folded.extra = makeBuffer({kDynamic, pivots}, problems, f32);
  return folded;
}

void AttentionKernels::makeBuffers(bool gradients) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Type f32 = b.getF32Type();
  int64_t pivots = facts.pivots(), columns = facts.valueColumns();
  buffers.pivots = makeBuffer({kDynamic, pivots, facts.pivotFormat().stride()},
                              pivotSets, facts.rowType(b, facts.pivotFormat()));
  if (gradients)
    buffers.pivotsT = makeBuffer({kDynamic, facts.depth(), pivots}, pivotSets,
                                 facts.productType(b));
  buffers.pivotMass = makeBuffer({kDynamic, pivots}, pivotSets, f32);
  if (glueMassOperand)
    buffers.glueRatio = makeBuffer({kDynamic, pivots}, pivotSets, f32);
  Value problems =
      arith::AddIOp::create(b, querySide.problems, keySide.problems);
  Value chunks = arith::MaxUIOp::create(b, querySide.chunks, keySide.chunks);
  buffers.partials =
      makeBuffer({2, kDynamic, kDynamic, pivots}, {problems, chunks}, f32);
  buffers.states =
      makeBuffer({kDynamic, facts.states(), pivots}, problems, f32);
  // Reverse mode has parts of dG from queries and of dZ from both sides.
  Value parts = gradients ? problems : keySide.problems;
  Value partChunks = gradients ? chunks : keySide.chunks;
  if (isResident)
    partChunks = arith::MaxUIOp::create(b, partChunks, residentKeys.chunks);
  if (gradients)
    columns = std::max(columns, facts.depth());
  buffers.gathered = makeBuffer({kDynamic, kDynamic, pivots, columns},
                                {parts, partChunks}, f32);
  if (facts.rowSum())
    buffers.gatheredSums =
        makeBuffer({kDynamic, kDynamic, pivots}, {parts, partChunks}, f32);
  buffers.values = makeFolded(keySide.problems, facts.valueColumns(), gradients,
                              facts.rowSum());
}

void AttentionKernels::freeBuffers() {
  for (Value buffer : llvm::reverse(allocated))
    memref::DeallocOp::create(b, buffer);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

void AttentionKernels::emitPack() {
  Kernel k = makeKernel("pack");
  // A block for every eight pivots of a set.
  constexpr int64_t kRows = 8;
  int64_t parts = facts.pivots() / kRows;
  Value set = k.div(k.block(), parts), part8 = k.rem(k.block(), parts);
  Value firstRow = k.mul(part8, kRows);
  Value heads = k.use(keySide.pivotHeads);
  Value at = k.div(set, heads), head = k.rem(set, heads);
  Value source = k.use(pivotOperand), packed = k.use(buffers.pivots);
  Value masses = k.use(pivotMassOperand), glue = k.use(glueMassOperand);
  Value r = k.index(facts.r), last = k.index(facts.r - 1);
  auto read = [&](Value mass, Value j) -> Value {
    Value value = k.f32(-std::log2(static_cast<double>(facts.r)));
    if (mass)
      value = k.mulf(k.load(mass, {at, head, k.min(j, last)}),
                     k.f32(llvm::numbers::log2e));
    return k.select(k.less(j, r), value, k.noMass());
  };
  Value pivotMass = k.use(buffers.pivotMass), ratios = k.use(buffers.glueRatio);
  k.ifThen(k.less(k.thread(), k.index(kRows)), [&] {
    Value j = k.add(firstRow, k.thread()), mass = read(masses, j);
    k.store(mass, pivotMass, {set, j});
    if (glue) {
      Value ratio = k.exp2(k.subf(mass, read(glue, j)));
      k.store(k.select(k.isLive(mass), ratio, k.f32(0)), ratios, {set, j});
    }
  });
  // Zeros beyond the columns and for absent pivots, whose data are not used.
  Type element = facts.rowType(k, facts.pivotFormat());
  int64_t stride = facts.pivotFormat().stride();
  k.forLoop(
      k.thread(), k.index(kRows * stride), k.index(k.getThreads()),
      [&](Value i) {
        Value j = k.add(firstRow, k.div(i, stride)), column = k.rem(i, stride);
        Value part = k.div(column, facts.depth());
        Value c = k.rem(column, facts.depth());
        Value inside = k.both(k.both(k.less(c, k.index(facts.d)),
                                     k.less(part, k.index(facts.pivotParts))),
                              k.isLive(read(masses, j)));
        c = k.min(c, k.index(facts.d - 1));
        Value left = k.convert(k.load(source, {at, head, k.min(j, last), c}),
                               k.getF32Type());
        left = k.select(inside, left, k.f32(0));
        Value chosen = k.convert(left, element);
        for (int64_t p = 1; p < facts.pivotParts; ++p) {
          Value taken = k.convert(left, element);
          left = k.subf(left, k.convert(taken, k.getF32Type()));
          chosen = k.select(k.equal(part, p), k.convert(left, element), chosen);
        }
        k.store(chosen, packed, {set, j, column});
      });
  if (buffers.pivotsT) {
    Value transposed = k.use(buffers.pivotsT);
    k.forLoop(
        k.thread(), k.index(facts.depth() * kRows), k.index(k.getThreads()),
        [&](Value i) {
          Value c = k.div(i, kRows);
          Value j = k.add(firstRow, k.rem(i, kRows));
          Value inside =
              k.both(k.less(c, k.index(facts.d)), k.isLive(read(masses, j)));
          Value z = k.load(source, {at, head, k.min(j, last),
                                    k.min(c, k.index(facts.d - 1))});
          z = k.select(inside, k.convert(z, k.getF32Type()), k.f32(0));
          k.store(k.convert(z, facts.productType(k)), transposed, {set, c, j});
        });
  }
  k.launch(b, arith::MulIOp::create(b, pivotSets,
                                    arith::ConstantIndexOp::create(b, parts)));
}

Matrix AttentionKernels::stagePivots(Kernel &k, const Side &side) {
  return stageRows(k, facts, k.use(buffers.pivots), side.pivotIndex,
                   facts.pivotFormat());
}

Value AttentionKernels::stageVector(Kernel &k, Value source,
                                    ValueRange leading) {
  Value vector = k.shared.allocate({facts.pivots()}, k.getF32Type());
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Values at(leading);
    at.push_back(k.thread());
    k.store(k.load(source, at), vector, k.thread());
  });
  return vector;
}

Values AttentionKernels::forTiles(
    Kernel &k, const Side &side, const Values &init,
    function_ref<Values(Value tile, const Rows &, ValueRange)> body,
    function_ref<void(Value tile)> absent) {
  Value start = k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  return k.forLoop(start, side.end, k.index(Facts::kWarps * Facts::kTile), init,
                   [&](Value tile, ValueRange carried) -> Values {
                     Rows rows = locateRows(k, side, tile);
                     if (!rows.masked)
                       return body(tile, rows, carried);
                     return k.ifElse(
                         k.anyLane(k.either(rows.live[0], rows.live[1])),
                         carried.getTypes(),
                         [&] { return body(tile, rows, carried); },
                         [&] {
                           if (absent)
                             absent(tile);
                           return Values(carried);
                         });
                   });
}

void AttentionKernels::emitBySize(function_ref<void()> resident,
                                  function_ref<void()> streaming) {
  if (!isResident)
    return streaming();
  auto choice = scf::IfOp::create(b, isResident, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  resident();
  b.setInsertionPointToStart(choice.elseBlock());
  streaming();
}

void AttentionKernels::emitForward(Value init) {
  checkInputs();
  checkLayout(init, "init",
              std::min<int64_t>(16, getRowBytes(facts.io, facts.dv, 8)));
  makeSides();
  makeBuffers(/*gradients=*/false);
  Value out = makeView(b, init, 4, 0, 1);
  emitPack();
  emitBySize([&] { emitResidentKeys(); },
             [&] {
               emitSweeps();
               emitGather();
             });
  Value chunks = keySide.chunks;
  if (isResident)
    chunks =
        arith::SelectOp::create(b, isResident, residentKeys.chunks, chunks);
  emitFold("fold", buffers.values, buffers.gathered, buffers.gatheredSums,
           arith::ConstantIndexOp::create(b, 1), chunks);
  emitBySize([&] { emitResidentQueries(out); }, [&] { emitApply(out); });
  freeBuffers();
}
