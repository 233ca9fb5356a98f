//===- Communicators.h - MPI communicators of a grid's axes --------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTSHARDTOMPI_COMMUNICATORS_H
#define LOT_LIB_CONVERSION_LOTSHARDTOMPI_COMMUNICATORS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::lot {

/// The function `@lot_mpi_comm_<grid>_<axes>() -> i64` that returns the
/// communicator of the processes along the axes, made at the first call and
/// kept: a split of its own for each reduction would never be freed.
func::FuncOp getCommunicator(ModuleOp module, shard::GridOp grid,
                             ArrayRef<shard::GridAxis> axes);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTSHARDTOMPI_COMMUNICATORS_H
