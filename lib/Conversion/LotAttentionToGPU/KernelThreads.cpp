//===- KernelThreads.cpp - Threads, clusters, shared memory ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InlinePTX.h"
#include "KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Value KernelBuilder::thread() {
  if (threadHere)
    return threadHere;
  return gpu::ThreadIdOp::create(*this, gpu::Dimension::x);
}
KernelBuilder::FreshThread::FreshThread(KernelBuilder &b)
    : b(b), before(b.threadHere), wordBefore(b.threadWord) {
  if (b.threadWord) {
    // Another word, with other bits above both parts.
    Value other =
        arith::ConstantOp::create(b, b.getI32IntegerAttr(1 << 2 * kThreadBits));
    b.threadWord = arith::AddIOp::create(b, b.threadWord, other);
    b.threadWord = emitOpaque(b, b.threadWord);
    setThread(b.threadWord);
    return;
  }
  Value id = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  setThread(emitOpaque(b, arith::IndexCastOp::create(b, b.getI32Type(), id)));
}
KernelBuilder::FreshThread::FreshThread(KernelBuilder &b, Value word)
    : b(b), before(b.threadHere), wordBefore(b.threadWord) {
  b.threadWord = word;
  setThread(word);
}
void KernelBuilder::FreshThread::setThread(Value word) {
  // With its range: blocks of at most 1024 threads.
  Value range =
      arith::ConstantOp::create(b, b.getI32IntegerAttr((1 << kThreadBits) - 1));
  word = arith::AndIOp::create(b, word, range);
  b.threadHere = arith::IndexCastUIOp::create(b, b.getIndexType(), word);
}
Value KernelBuilder::block() {
  return gpu::BlockIdOp::create(*this, gpu::Dimension::x);
}
Value KernelBuilder::lane() { return rem(thread(), kWarp); }
Value KernelBuilder::warp() { return div(thread(), kWarp); }
void KernelBuilder::barrier() { gpu::BarrierOp::create(*this); }
void KernelBuilder::warpBarrier() {
  Value all = arith::ConstantOp::create(*this, getI32IntegerAttr(-1));
  NVVM::SyncWarpOp::create(*this, all);
}
Value KernelBuilder::barrierAny(Value condition) {
  Value wide = arith::ExtUIOp::create(*this, getI32Type(), condition);
  auto kind =
      NVVM::BarrierReductionAttr::get(getContext(), NVVM::BarrierReduction::OR);
  Value any =
      NVVM::BarrierOp::create(*this, getI32Type(), Value(), Value(), kind, wide)
          .getRes();
  Value zero = arith::ConstantOp::create(*this, getI32IntegerAttr(0));
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ne, any, zero);
}

void KernelBuilder::letNextStart() {
  NVVM::GriddepcontrolOp::create(*this,
                                 NVVM::GridDepActionKind::launch_dependents);
}
void KernelBuilder::waitForEarlier() {
  NVVM::GriddepcontrolOp::create(*this, NVVM::GridDepActionKind::wait);
}

Value KernelBuilder::cluster() {
  return gpu::ClusterIdOp::create(*this, gpu::Dimension::x);
}
Value KernelBuilder::clusterRank() {
  // Clusters have one dimension. The place in it would be a division.
  Value rank = NVVM::ClusterId::create(*this, getI32Type());
  return arith::IndexCastUIOp::create(*this, getIndexType(), rank);
}
Value KernelBuilder::clusterSize() {
  return gpu::ClusterDimBlocksOp::create(*this, gpu::Dimension::x);
}
void KernelBuilder::clusterBarrier() {
  NVVM::ClusterArriveOp::create(*this, getUnitAttr());
  NVVM::ClusterWaitOp::create(*this, getUnitAttr());
}
void KernelBuilder::clusterArrive() {
  NVVM::ClusterArriveRelaxedOp::create(*this, getUnitAttr());
}
void KernelBuilder::clusterWait() {
  NVVM::ClusterWaitOp::create(*this, getUnitAttr());
}
Value KernelBuilder::sharedPointer(Value memref, Value at) {
  auto type = cast<MemRefType>(memref.getType());
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(*this, memref);
  Value address = add(base, mul(at, type.getElementTypeBitWidth() / 8));
  address = arith::IndexCastOp::create(*this, getI64Type(), address);
  return LLVM::IntToPtrOp::create(
      *this, LLVM::LLVMPointerType::get(getContext(), 3), address);
}
Value KernelBuilder::globalPointer(Value memref, Value at) {
  auto type = cast<MemRefType>(memref.getType());
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(*this, memref);
  Value address = add(base, mul(at, type.getElementTypeBitWidth() / 8));
  address = arith::IndexCastOp::create(*this, getI64Type(), address);
  return LLVM::IntToPtrOp::create(
      *this, LLVM::LLVMPointerType::get(getContext(), 1), address);
}
static void emitDeviceFence(KernelBuilder &b) {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, "device");
}
Value KernelBuilder::addToCounter(Value counters, Value at) {
  Value one = arith::ConstantOp::create(*this, getI32IntegerAttr(1));
  // An atomic with release semantics would be lowered without them.
  emitDeviceFence(*this);
  return LLVM::AtomicRMWOp::create(*this, LLVM::AtomicBinOp::add,
                                   globalPointer(counters, at), one,
                                   LLVM::AtomicOrdering::monotonic, "device");
}
void KernelBuilder::signal(Value counters, Value at) {
  barrier();
  ifThen(equal(thread(), 0), [&] { addToCounter(counters, at); });
}
Value KernelBuilder::isLastToSignal(Value counters, Value at, Value count) {
  return isNumber(counters, at, index(0), count);
}
Value KernelBuilder::isLastBeforeOwn(Value counters, Value at, Value count) {
  return isNumber(counters, at, count, add(count, 1));
}
Value KernelBuilder::isNumber(Value counters, Value at, Value count,
                              Value round) {
  barrier();
  Value none = flag(false);
  Value last = ifElse(
      equal(thread(), 0), getI1Type(),
      [&]() -> Values {
        Value before = addToCounter(counters, at);
        emitDeviceFence(*this);
        Value number =
            add(arith::IndexCastUIOp::create(*this, getIndexType(), before), 1);
        return {arith::CmpIOp::create(*this, arith::CmpIPredicate::eq,
                                      remNarrow(number, round), count)};
      },
      [&] { return Values{none}; })[0];
  return barrierAny(last);
}
void KernelBuilder::waitForSignals(Value counters, Value at, Value count) {
  ifThen(equal(thread(), 0), [&] {
    Value pointer = globalPointer(counters, at);
    Value wanted = arith::IndexCastOp::create(*this, getI32Type(), count);
    auto loop = scf::WhileOp::create(*this, TypeRange(), ValueRange());
    OpBuilder::InsertionGuard guard(*this);
    createBlock(&loop.getBefore());
    Value seen = LLVM::LoadOp::create(
        *this, getI32Type(), pointer, /*alignment=*/4, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/false,
        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::acquire, "device");
    Value less =
        arith::CmpIOp::create(*this, arith::CmpIPredicate::ult, seen, wanted);
    scf::ConditionOp::create(*this, less, ValueRange());
    createBlock(&loop.getAfter());
    scf::YieldOp::create(*this);
  });
  barrier();
}
void KernelBuilder::postTagged(Value value, Value tag, Value mail, Value at) {
  Type i32 = getI32Type(), i64 = getI64Type();
  Value bits = arith::BitcastOp::create(*this, i32, value);
  Value low = arith::ExtUIOp::create(*this, i64, bits);
  Value high = arith::IndexCastUIOp::create(*this, i64, tag);
  Value shift = arith::ConstantOp::create(*this, getI64IntegerAttr(32));
  high = arith::ShLIOp::create(*this, high, shift);
  // Complete at once: nothing else has to be seen with it.
  LLVM::StoreOp::create(*this, arith::OrIOp::create(*this, low, high),
                        globalPointer(mail, at), /*alignment=*/8,
                        /*isVolatile=*/false, /*isNonTemporal=*/false,
                        /*isInvariantGroup=*/false,
                        LLVM::AtomicOrdering::monotonic, "device");
}
Value KernelBuilder::takeTagged(Value tag, Value mail, Value at) {
  Type i32 = getI32Type(), i64 = getI64Type();
  Value pointer = globalPointer(mail, at), wanted = toWord(tag);
  Value shift = arith::ConstantOp::create(*this, getI64IntegerAttr(32));
  auto loop = scf::WhileOp::create(*this, TypeRange(i64), ValueRange());
  {
    OpBuilder::InsertionGuard guard(*this);
    createBlock(&loop.getBefore());
    Value word = LLVM::LoadOp::create(
        *this, i64, pointer, /*alignment=*/8, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/false,
        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::monotonic, "device");
    Value high = arith::ShRUIOp::create(*this, word, shift);
    Value other = arith::CmpIOp::create(
        *this, arith::CmpIPredicate::ne,
        arith::TruncIOp::create(*this, i32, high), wanted);
    scf::ConditionOp::create(*this, other, word);
    createBlock(&loop.getAfter(), {}, i64, getLoc());
    scf::YieldOp::create(*this);
  }
  Value low = arith::TruncIOp::create(*this, i32, loop.getResult(0));
  return arith::BitcastOp::create(*this, getF32Type(), low);
}
void KernelBuilder::initTransactions(Value words, int64_t count) {
  ifThen(equal(thread(), 0), [&] {
    Value one = arith::ConstantOp::create(*this, getI32IntegerAttr(1));
    for (int64_t i = 0; i < count; ++i)
      NVVM::MBarrierInitOp::create(*this, sharedPointer(words, index(i)), one,
                                   Value());
    NVVM::FenceMbarrierInitOp::create(*this);
  });
}
void KernelBuilder::expectBytes(Value words, Value at, Value bytes) {
  NVVM::MBarrierArriveExpectTxOp::create(
      *this, Type(), sharedPointer(words, at), toWord(bytes),
      NVVM::MemScopeKind::CTA, /*relaxed=*/false, Value());
}
void KernelBuilder::waitForBytes(Value words, Value at, Value parity) {
  Value ticks = arith::ConstantOp::create(*this, getI32IntegerAttr(10000000));
  NVVM::MBarrierTryWaitParityOp::create(*this, sharedPointer(words, at),
                                        toWord(parity), ticks);
}
void KernelBuilder::sendTo(Value rank, Value value, Value shared, Value to,
                           Value words, Value at) {
  Value block = toWord(rank);
  auto map = [&](Value local) -> Value {
    Value remote = NVVM::MapaOp::create(
        *this, LLVM::LLVMPointerType::get(getContext(), 7), local, block);
    return LLVM::PtrToIntOp::create(*this, getI32Type(), remote);
  };
  emitAsyncStore(*this, map(sharedPointer(shared, to)), value,
                 map(sharedPointer(words, at)));
}

Value KernelBuilder::exchange(Value value, int64_t mask) {
  return gpu::ShuffleOp::create(*this, value, static_cast<int32_t>(mask),
                                static_cast<int32_t>(kWarp),
                                gpu::ShuffleMode::XOR)
      .getShuffleResult();
}
Value KernelBuilder::fromLane(Value value, Value from) {
  Value width = arith::ConstantOp::create(*this, getI32IntegerAttr(kWarp));
  return gpu::ShuffleOp::create(*this, value, toWord(from), width,
                                gpu::ShuffleMode::IDX)
      .getShuffleResult();
}
Value KernelBuilder::sumLanes(Value value, ArrayRef<int64_t> masks) {
  for (int64_t mask : masks)
    value = addf(value, exchange(value, mask));
  return value;
}
Value KernelBuilder::maxLanes(Value value, ArrayRef<int64_t> masks) {
  for (int64_t mask : masks)
    value = maxf(value, exchange(value, mask));
  return value;
}
Value KernelBuilder::maxOfWarp(Value value) {
  Value all = arith::ConstantOp::create(*this, getI32IntegerAttr(-1));
  Value whole = arith::FPToSIOp::create(*this, getI32Type(), value);
  Value max = NVVM::ReduxOp::create(*this, getI32Type(), whole,
                                    NVVM::ReduxKind::MAX, all);
  return arith::SIToFPOp::create(*this, getF32Type(), max);
}
Value KernelBuilder::maxOfPositive(Value value) {
  Value all = arith::ConstantOp::create(*this, getI32IntegerAttr(-1));
  // Their bits are in the same order.
  Value bits = arith::BitcastOp::create(*this, getI32Type(), value);
  Value max = NVVM::ReduxOp::create(*this, getI32Type(), bits,
                                    NVVM::ReduxKind::UMAX, all);
  return arith::BitcastOp::create(*this, getF32Type(), max);
}
Value KernelBuilder::anyLane(Value condition) {
  Value all = arith::ConstantOp::create(*this, getI32IntegerAttr(-1));
  return NVVM::VoteSyncOp::create(*this, getI1Type(), all, condition,
                                  NVVM::VoteSyncKind::any);
}
Value KernelBuilder::ballot(Value condition) {
  Value all = arith::ConstantOp::create(*this, getI32IntegerAttr(-1));
  return NVVM::VoteSyncOp::create(*this, getI32Type(), all, condition,
                                  NVVM::VoteSyncKind::ballot);
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

static gpu::AddressSpaceAttr getSharedSpace(KernelBuilder &b) {
  return gpu::AddressSpaceAttr::get(b.getContext(),
                                    gpu::AddressSpace::Workgroup);
}

Value SharedMemory::getBase() {
  if (base)
    return base;
  // For all branches.
  OpBuilder::InsertionGuard guard(b);
  Operation *parent = b.getInsertionBlock()->getParentOp();
  auto func = dyn_cast<gpu::GPUFuncOp>(parent);
  if (!func)
    func = parent->getParentOfType<gpu::GPUFuncOp>();
  b.setInsertionPointToStart(&func.getBody().front());
  base = gpu::DynamicSharedMemoryOp::create(
      b, MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                         MemRefLayoutAttrInterface(), getSharedSpace(b)));
  return base;
}

Value SharedMemory::allocate(ArrayRef<int64_t> shape, Type element,
                             int64_t alignment) {
  bytes = llvm::alignTo(bytes, alignment);
  auto type = MemRefType::get(shape, element, MemRefLayoutAttrInterface(),
                              getSharedSpace(b));
  Value view =
      memref::ViewOp::create(b, type, getBase(), b.index(bytes), ValueRange{});
  bytes += llvm::alignTo(
      type.getNumElements() * element.getIntOrFloatBitWidth() / 8, 128);
  return view;
}

SharedRegion SharedMemory::allocateRegion(int64_t parts, int64_t partBytes,
                                          int64_t alignment) {
  Value all = allocate({parts * partBytes}, b.getI8Type(), alignment);
  return {b, all, parts, partBytes};
}

SharedRegion SharedMemory::allocateLast(int64_t parts, int64_t partBytes) {
  assert(!lastOffset && "expected one last region");
  lastBytes = partBytes;
  lastOffset = arith::ConstantIndexOp::create(b, b.getLoc(), 0);
  auto type = MemRefType::get({parts * partBytes}, b.getI8Type(),
                              MemRefLayoutAttrInterface(), getSharedSpace(b));
  Value view =
      memref::ViewOp::create(b, type, getBase(), lastOffset, ValueRange{});
  return {b, view, parts, partBytes};
}

void SharedMemory::finish() {
  if (lastOffset)
    lastOffset->setAttr("value", b.getIndexAttr(getBytes()));
}

Value SharedRegion::view(int64_t offset, ArrayRef<int64_t> shape,
                         int64_t stride, Type element) const {
  int64_t width = element.getIntOrFloatBitWidth() / 8;
  auto space = cast<MemRefType>(bytes.getType()).getMemorySpace();
  int64_t all = parts * partBytes / width;
  assert(partBytes % width == 0 && offset % width == 0);
  Value flat = memref::ViewOp::create(
      b, MemRefType::get({all}, element, MemRefLayoutAttrInterface(), space),
      bytes, b.index(0), ValueRange{});
  SmallVector<int64_t> sizes{parts};
  llvm::append_range(sizes, shape);
  SmallVector<int64_t> strides{partBytes / width};
  if (shape.size() == 2)
    strides.push_back(stride);
  strides.push_back(1);
  auto layout = StridedLayoutAttr::get(b.getContext(), offset / width, strides);
  return memref::ReinterpretCastOp::create(
      b, MemRefType::get(sizes, element, layout, space), flat, offset / width,
      sizes, strides);
}
