//===- LotBase.td - The lot dialect and the bases of its ops --*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOTBASE
#define LOT_IR_LOTBASE

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"
include "mlir/Dialect/Linalg/IR/LinalgInterfaces.td"

def Lot_Dialect : Dialect {
  let name = "lot";
  let cppNamespace = "::mlir::lot";
  let summary = "Doubly-stochastic linear attention by pivot optimal transport";
  let description = [{
    Expresses LOTFormer attention (arXiv 2509.23436): queries and keys are each
    coupled to `r` pivots by entropic optimal transport (`half_steps` Sinkhorn
    half-steps) and the two couplings are glued into one of rank `r`, which is
    applied to the values in O(n r).

    Three levels:
    - `lot.attention` is the whole operator;
    - `lot.pivot_solve`, `lot.sweep`, `lot.plan` and `lot.glue` are its formulas
      on score tensors (tokens x pivots), for any target;
    - `lot.head_*` ops are the steps of one head on buffers, as CPU code runs
      them: tokens and packed pivots in, the tiled n x r factor in between.

    Labels such as C3 in the op descriptions are the constraints of
    docs/spec.md; verifiers and tests quote the same labels.
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{ void registerAttributes(); }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

/// A value of a tensor op or the buffer it becomes.
def Lot_Shaped : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef],
                           "ranked tensor or strided memref">;

class Lot_Op<string mnemonic, list<Trait> traits = []>
    : Op<Lot_Dialect, mnemonic, traits>;

/// The interfaces that every score-space op has.
class Lot_DpsOp<string mnemonic, list<Trait> traits = []>
    : Lot_Op<mnemonic, !listconcat(traits, [
        DestinationStyleOpInterface, AttrSizedOperandSegments,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
        DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ConditionallySpeculatable>,
        DeclareOpInterfaceMethods<TilingInterface, [
          "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
          "getResultTilePosition", "generateResultTileValue"]>,
        DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>])> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let hasFolder = 1;
}

#endif // LOT_IR_LOTBASE
