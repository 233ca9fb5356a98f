//===- LotShardToMPI.cpp - All-reduces of shard to MPI -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Communicators.h"

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/MPI/IR/MPI.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTSHARDTOMPI
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

static constexpr StringLiteral kImplementation = "MPI:Implementation";

/// Names the MPI whose handles the lowering to LLVM writes: without a name it
/// takes MPICH's, with a message for each op.
static LogicalResult nameImplementation(ModuleOp module) {
  MLIRContext *context = module.getContext();
  auto map = module->getAttrOfType<MapAttr>(MapAttr::name);
  SmallVector<DataLayoutEntryInterface> entries;
  if (map)
    entries = llvm::to_vector(map.getEntries());
  auto key = StringAttr::get(context, kImplementation);
  for (DataLayoutEntryInterface entry : entries)
    if (auto name = dyn_cast<StringAttr>(entry.getKey()); name == key) {
      auto value = dyn_cast<StringAttr>(entry.getValue());
      if (value && value.getValue() == "MPICH")
        return success();
      return module.emitError()
             << "lot-shard-to-mpi: expected " << kImplementation
             << " \"MPICH\", got " << entry.getValue()
             << "; LLVM 22 writes OpenMPI's names and handles wrongly";
    }
  entries.push_back(
      DataLayoutEntryAttr::get(key, StringAttr::get(context, "MPICH")));
  module->setAttr(MapAttr::name, MapAttr::get(context, entries));
  return success();
}

static std::optional<mpi::MPI_ReductionOpEnum>
reductionOf(shard::ReductionKind kind) {
  switch (kind) {
  case shard::ReductionKind::Sum:
    return mpi::MPI_ReductionOpEnum::MPI_SUM;
  case shard::ReductionKind::Max:
    return mpi::MPI_ReductionOpEnum::MPI_MAX;
  case shard::ReductionKind::Min:
    return mpi::MPI_ReductionOpEnum::MPI_MIN;
  case shard::ReductionKind::Product:
    return mpi::MPI_ReductionOpEnum::MPI_PROD;
  default:
    return std::nullopt;
  }
}

/// The elements of a contiguous buffer in one dim, as MPI counts them.
static Value flatten(ImplicitLocOpBuilder &b, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getRank() == 1)
    return buffer;
  if (type.getRank() == 0)
    return memref::ExpandShapeOp::create(b, ArrayRef<int64_t>{1}, buffer,
                                         ArrayRef<ReassociationIndices>());
  ReassociationIndices all =
      llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()));
  return memref::CollapseShapeOp::create(b, buffer,
                                         ArrayRef<ReassociationIndices>(all));
}

/// Where to look for what can be done about it.
static constexpr StringLiteral kHint =
    "; annotate operands and results so that nothing else is exchanged";

static LogicalResult lower(shard::AllReduceOp op, ModuleOp module,
                           SymbolTableCollection &symbols) {
  auto type = dyn_cast<RankedTensorType>(op.getInput().getType());
  if (!type || op.getResult().getType() != type)
    return op.emitOpError()
           << "lot-shard-to-mpi: expected one tensor type of "
              "input and result, got "
           << op.getInput().getType() << " and " << op.getResult().getType();
  Type element = type.getElementType();
  if (!element.isF32() && !element.isF64() && !element.isInteger(32) &&
      !element.isInteger(64))
    return op.emitOpError() << "lot-shard-to-mpi: expected elements of f32, "
                               "f64, i32 or i64, got "
                            << element;
  std::optional<mpi::MPI_ReductionOpEnum> kind = reductionOf(op.getReduction());
  if (!kind)
    return op.emitOpError()
           << "lot-shard-to-mpi: expected the reduction sum, max, min or "
              "product, got "
           << stringifyEnum(op.getReduction());
  shard::GridOp grid = shard::getGridOrNull(op, op.getGridAttr(), symbols);
  if (!grid || ShapedType::isDynamicShape(grid.getShape()))
    return op.emitOpError("lot-shard-to-mpi: expected a grid of static shape, "
                          "got a dynamic one");

  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto buffer = MemRefType::get(type.getShape(), element);
  Value send = bufferization::ToBufferOp::create(b, buffer, op.getInput(),
                                                 /*readOnly=*/true);
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      sizes.push_back(tensor::DimOp::create(b, op.getInput(), i));
  Value receive = memref::AllocOp::create(b, buffer, sizes);
  func::FuncOp communicator = getCommunicator(module, grid, op.getGridAxes());
  Value handle =
      func::CallOp::create(b, communicator, ValueRange()).getResult(0);
  Value comm = UnrealizedConversionCastOp::create(
                   b, mpi::CommType::get(op.getContext()), handle)
                   .getResult(0);
  mpi::AllReduceOp::create(b, TypeRange(), flatten(b, send),
                           flatten(b, receive), *kind, comm);
  Value result = bufferization::ToTensorOp::create(b, type, receive,
                                                   /*restrict=*/true,
                                                   /*writable=*/true);
  op.getResult().replaceAllUsesWith(result);
  op.erase();
  return success();
}

namespace {
struct LotShardToMPI : public lot::impl::LotShardToMPIBase<LotShardToMPI> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<shard::AllReduceOp> reductions;
    SmallVector<shard::GridOp> grids;
    WalkResult walk =
        module.walk([&](Operation *op) {
          if (auto reduction = dyn_cast<shard::AllReduceOp>(op)) {
            reductions.push_back(reduction);
          } else if (auto grid = dyn_cast<shard::GridOp>(op)) {
            grids.push_back(grid);
          } else if (isa_and_nonnull<shard::ShardDialect>(op->getDialect())) {
            op->emitOpError()
                << "lot-shard-to-mpi: expected a partitioned module whose only "
                   "communication is shard.all_reduce"
                << kHint;
            return WalkResult::interrupt();
          }
          return WalkResult::advance();
        });
    if (walk.wasInterrupted())
      return signalPassFailure();
    if (!reductions.empty() && failed(nameImplementation(module)))
      return signalPassFailure();
    SymbolTableCollection symbols;
    for (shard::AllReduceOp reduction : reductions)
      if (failed(lower(reduction, module, symbols)))
        return signalPassFailure();
    for (shard::GridOp grid : grids)
      grid.erase();
  }
};
} // namespace
