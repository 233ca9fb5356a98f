//===- Communicators.cpp - MPI communicators of a grid's axes ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Communicators.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MPI/IR/MPI.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// Emits the body of a communicator's function.
struct CommunicatorBuilder : ImplicitLocOpBuilder {
  shard::GridOp grid;
  ArrayRef<shard::GridAxis> axes;

  CommunicatorBuilder(Location loc, Block *body, shard::GridOp grid,
                      ArrayRef<shard::GridAxis> axes)
      : ImplicitLocOpBuilder(loc, OpBuilder::atBlockBegin(body)), grid(grid),
        axes(axes) {}

  Value i32(int64_t value) {
    return arith::ConstantOp::create(*this, getI32IntegerAttr(value));
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(*this, value);
  }

  /// Fails at run time unless there is a process for each device of the grid.
  /// (LLVM 22 has no lowering of mpi.comm_size: the processes count
  /// themselves.)
  void checkSize(Value world) {
    auto type = MemRefType::get({1}, getI32Type());
    Value one = memref::AllocaOp::create(*this, type);
    Value all = memref::AllocaOp::create(*this, type);
    memref::StoreOp::create(*this, i32(1), one, ValueRange(index(0)));
    mpi::AllReduceOp::create(*this, TypeRange(), one, all,
                             mpi::MPI_ReductionOpEnum::MPI_SUM, world);
    int64_t devices = 1;
    for (int64_t size : grid.getShape())
      devices *= size;
    Value got = memref::LoadOp::create(*this, all, ValueRange(index(0)));
    Value ok = arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, got,
                                     i32(devices));
    cf::AssertOp::create(*this, ok,
                         "expected " + Twine(devices).str() +
                             " MPI processes for grid @" +
                             grid.getSymName().str() + ", got another number");
  }

  /// Row-major position of this process among the axes for which `wanted` is
  /// true of being one of the communicator's.
  Value position(Value rank, bool wanted) {
    Value result = i32(0);
    int64_t below = 1;
    for (int64_t size : grid.getShape())
      below *= size;
    for (auto [axis, size] : llvm::enumerate(grid.getShape())) {
      below /= size;
      if (llvm::is_contained(axes, axis) != wanted)
        continue;
      Value at = arith::RemSIOp::create(
          *this, arith::DivSIOp::create(*this, rank, i32(below)), i32(size));
      result = arith::AddIOp::create(
          *this, arith::MulIOp::create(*this, result, i32(size)), at);
    }
    return result;
  }

  Value make() {
    auto commType = mpi::CommType::get(getContext());
    Value world = mpi::CommWorldOp::create(*this, commType);
    checkSize(world);
    Value comm = world;
    auto isSplit = [&](auto axis) {
      return axis.value() != 1 && !llvm::is_contained(axes, axis.index());
    };
    if (llvm::any_of(llvm::enumerate(grid.getShape()), isSplit)) {
      Value rank =
          mpi::CommRankOp::create(
              *this,
              TypeRange{mpi::RetvalType::get(getContext()), getI32Type()},
              world)
              .getRank();
      comm = mpi::CommSplitOp::create(*this, commType, world,
                                      position(rank, /*wanted=*/false),
                                      position(rank, /*wanted=*/true))
                 .getNewcomm();
    }
    // The type that convert-to-llvm gives it: the casts cancel out there.
    return UnrealizedConversionCastOp::create(*this, getI64Type(), comm)
        .getResult(0);
  }
};
} // namespace

func::FuncOp lot::getCommunicator(ModuleOp module, shard::GridOp grid,
                                  ArrayRef<shard::GridAxis> axes) {
  std::string name = "lot_mpi_comm_" + grid.getSymName().str();
  for (shard::GridAxis axis : axes)
    name += "_" + llvm::itostr(axis);
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  Location loc = grid.getLoc();
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  // Whether it was made, and the communicator.
  auto cacheType = MemRefType::get({2}, b.getI64Type());
  auto zeros = DenseElementsAttr::get(
      RankedTensorType::get({2}, b.getI64Type()), b.getI64IntegerAttr(0));
  memref::GlobalOp::create(b, loc, name + "_cache", b.getStringAttr("private"),
                           cacheType, zeros, /*constant=*/false,
                           /*alignment=*/IntegerAttr());
  auto function = func::FuncOp::create(
      b, loc, name, FunctionType::get(b.getContext(), {}, {b.getI64Type()}));
  function.setPrivate();
  CommunicatorBuilder body(loc, function.addEntryBlock(), grid, axes);
  Value cache = memref::GetGlobalOp::create(body, cacheType, name + "_cache");
  Value zero = body.index(0), one = body.index(1);
  Value made = arith::CmpIOp::create(
      body, arith::CmpIPredicate::ne,
      memref::LoadOp::create(body, cache, ValueRange(zero)),
      arith::ConstantOp::create(body, body.getI64IntegerAttr(0)));
  auto load = [&] {
    return memref::LoadOp::create(body, cache, ValueRange(one)).getResult();
  };
  auto choice = scf::IfOp::create(body, TypeRange(body.getI64Type()), made,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(body);
    body.setInsertionPointToStart(choice.thenBlock());
    scf::YieldOp::create(body, load());
    body.setInsertionPointToStart(choice.elseBlock());
    Value comm = body.make();
    memref::StoreOp::create(body, comm, cache, ValueRange(one));
    memref::StoreOp::create(
        body, arith::ConstantOp::create(body, body.getI64IntegerAttr(1)), cache,
        ValueRange(zero));
    scf::YieldOp::create(body, comm);
  }
  func::ReturnOp::create(body, choice.getResults());
  return function;
}
