//===- AttentionKernels.cpp - One lot.attention as kernels ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "ClusterSums.h"
#include "PackedProducts.h"

#include "lot/Target/GPUTarget.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::lot;

Value AttentionKernels::getOddBytes(Value memref, int64_t bytes) {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
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
  return odd;
}

void AttentionKernels::checkLayout(Value memref, StringRef name,
                                   int64_t bytes) {
  auto check = [&](Value value, int64_t expected, const Twine &what) {
    Value good =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, value,
                              arith::ConstantIndexOp::create(b, expected));
    cf::AssertOp::create(
        b, good, ("lot.attention: expected " + name + " " + what).str());
  };
  check(getOddBytes(memref, bytes), 0,
        "with rows that begin at multiples of " + Twine(bytes) + " bytes");
  auto type = cast<MemRefType>(memref.getType());
  if (type.getShape().back() != 1) {
    auto parts = memref::ExtractStridedMetadataOp::create(b, memref);
    check(parts.getStrides().back(), 1, "with a last stride of 1");
  }
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
  if (operands.residuals)
    checkLayout(operands.residuals, "residuals", 16);
}

Value AttentionKernels::makeBuffer(ArrayRef<int64_t> shape, ValueRange sizes,
                                   Type element) {
  Value buffer = memref::AllocOp::create(b, MemRefType::get(shape, element),
                                         sizes, b.getI64IntegerAttr(128));
  allocated.push_back(buffer);
  return buffer;
}

Value AttentionKernels::countMultiprocessors() {
  if (multiprocessors)
    return multiprocessors;
  constexpr StringLiteral kName = "lotCudaCountMultiprocessors";
  auto parent = module->getParentOfType<ModuleOp>();
  auto function = parent.lookupSymbol<func::FuncOp>(kName);
  if (!function) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(parent.getBody());
    function =
        func::FuncOp::create(b, kName, b.getFunctionType({}, b.getIndexType()));
    function.setPrivate();
  }
  multiprocessors = func::CallOp::create(b, function).getResult(0);
  return multiprocessors;
}

Folded AttentionKernels::makeFolded(Value problems, int64_t columns, bool rows,
                                    bool sums, bool extra) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Type f32 = b.getF32Type();
  int64_t pivots = facts.pivots();
  Folded folded;
  folded.columns = columns;
  folded.transposed =
      makeBuffer({kDynamic, columns, pivots}, problems, facts.productType(b));
  if (sums)
    folded.sums = makeBuffer({kDynamic, pivots, columns}, problems, f32);
  if (rows) {
    RowFormat format = facts.valueFormat();
    folded.rows = makeBuffer({kDynamic, pivots, format.stride()}, problems,
                             facts.rowType(b, format));
  }
  if (extra)
    folded.extra = makeBuffer({kDynamic, pivots}, problems, f32);
  return folded;
}

/// States of all problems, G of the key problems and sums of one more column.
void AttentionKernels::makeResiduals(Value problems) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  GPUResiduals residuals = facts.residuals();
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto parts = memref::ExtractStridedMetadataOp::create(b, operands.residuals);
  Value end = parts.getOffset();
  auto take = [&](Value count, ArrayRef<int64_t> inner) -> Value {
    SmallVector<int64_t> shape{kDynamic}, strides{1};
    llvm::append_range(shape, inner);
    for (int64_t size : llvm::reverse(inner))
      strides.insert(strides.begin(), strides.front() * size);
    auto type = MemRefType::get(
        shape, b.getF32Type(),
        StridedLayoutAttr::get(b.getContext(), kDynamic, strides));
    SmallVector<OpFoldResult> sizes{count}, steps;
    for (int64_t size : inner)
      sizes.push_back(b.getIndexAttr(size));
    for (int64_t step : strides)
      steps.push_back(b.getIndexAttr(step));
    Value view = memref::ReinterpretCastOp::create(
        b, type, parts.getBaseBuffer(), OpFoldResult(end), sizes, steps);
    end = arith::AddIOp::create(
        b, end, arith::MulIOp::create(b, count, index(strides.front())));
    return view;
  };
  buffers.states = take(problems, {residuals.states, residuals.pivots});
  buffers.values.sums =
      take(keySide.problems, {residuals.pivots, residuals.columns});
  if (facts.rowSum())
    buffers.values.extra = take(keySide.problems, {residuals.pivots});
  Value count = arith::SubIOp::create(b, end, parts.getOffset());
  cf::AssertOp::create(
      b,
      arith::CmpIOp::create(b, arith::CmpIPredicate::ule, count,
                            parts.getSizes().front()),
      "lot.attention: expected residuals of the size that lotCudaGetResiduals "
      "tells, got fewer");
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
  Value problems = countProblems();
  buffers.signals = makeBuffer({kDynamic}, problems, b.getI32Type());
  Value chunks = arith::MaxUIOp::create(b, querySide.chunks, keySide.chunks);
  buffers.partials =
      makeBuffer({kDynamic, kDynamic, pivots}, {problems, chunks}, f32);
  if (mailBlocks) {
    Value words =
        arith::ConstantIndexOp::create(b, ClusterSums::mailWords(pivots));
    words = arith::MulIOp::create(b, mailBlocks, words);
    buffers.mail = makeBuffer({kDynamic}, words, b.getI64Type());
  }
  // Reverse mode has parts of dG from queries and of dZ from both sides.
  Value parts = gradients ? problems : keySide.problems;
  Value partChunks = gradients ? chunks : keySide.chunks;
  if (this->partChunks)
    partChunks = this->partChunks;
  else if (isResident)
    partChunks = arith::MaxUIOp::create(
        b, partChunks,
        arith::SelectOp::create(b, isResident, residentKeys.chunks,
                                arith::ConstantIndexOp::create(b, 0)));
  if (gradients)
    columns = std::max(columns, facts.depth());
  buffers.gathered = makeBuffer({kDynamic, kDynamic, pivots, columns},
                                {parts, partChunks}, f32);
  if (facts.rowSum())
    buffers.gatheredSums =
        makeBuffer({kDynamic, kDynamic, pivots}, {parts, partChunks}, f32);
  bool ownSums = !usesResiduals();
  buffers.values = makeFolded(keySide.problems, facts.valueColumns(), gradients,
                              gradients && ownSums, facts.rowSum() && ownSums);
  if (usesResiduals())
    makeResiduals(problems);
  else
    buffers.states =
        makeBuffer({kDynamic, facts.states(), pivots}, problems, f32);
}

void AttentionKernels::freeBuffers() {
  for (Value buffer : llvm::reverse(allocated))
    memref::DeallocOp::create(b, buffer);
}

Matrix AttentionKernels::stagePivots(Kernel &k, const Side &side) {
  return stageRows(k, facts, k.use(buffers.pivots), side.pivotIndex,
                   facts.pivotFormat());
}

Matrix AttentionKernels::stageForStream(Kernel &k, const Side &side) {
  StagedCopy staged = stageMatrix(k, facts, k.use(buffers.pivots),
                                  side.pivotIndex, facts.pivotFormat());
  emitCopies(k, staged);
  return {staged.shared, {}};
}

void AttentionKernels::stagePivots(Kernel &k, const Side &side,
                                   TokenStream &stream) {
  if (facts.overlaps)
    k.waitForEarlier();
  if (!stream.usesGroup())
    return stream.setPivots(stageForStream(k, side));
  StagedCopy staged = stageForGroup(k, facts, k.use(buffers.pivots),
                                    side.pivotIndex, facts.pivotFormat());
  emitCopies(k, staged);
  stream.setPivots({staged.shared, {}});
}

Matrix AttentionKernels::stagePivots(Kernel &k, const Side &side, bool streamed,
                                     std::optional<TokenStream> &stream) {
  if (!streamed)
    return stagePivots(k, side);
  Matrix pivots = stageForStream(k, side);
  k.setBlocksPerMultiprocessor(2);
  stream.emplace(k, facts, side);
  stream->setPivots(pivots);
  stream->start();
  return pivots;
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
  return k.forLoop(start, side.end, k.index(k.getWarps() * Facts::kTile), init,
                   [&](Value tile, ValueRange carried) -> Values {
                     Rows rows = locateRows(k, side, tile);
                     return ifAnyLive(
                         k, rows, carried,
                         [&] { return body(tile, rows, carried); }, tile,
                         absent);
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
  noteStates = usesResiduals();
  makeBuffers(/*gradients=*/false);
  Value out = makeView(b, init, 4, 0, 1);
  emitPack();
  auto fold = [&](StringRef name, Value chunks) {
    emitFold(name, buffers.values, buffers.gathered, buffers.gatheredSums,
             arith::ConstantIndexOp::create(b, 1), chunks);
  };
  emitBySize(
      [&] {
        if (facts.isPacked())
          return emitPackedResident(out);
        emitResidentKeys();
        fold("resident_fold", residentKeys.chunks);
        emitResidentQueries(out);
      },
      [&] {
        emitSweeps();
        emitGather();
        fold("fold", keySide.chunks);
        emitApply(out);
      });
  freeBuffers();
}
