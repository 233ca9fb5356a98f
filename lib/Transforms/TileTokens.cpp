//===- TileTokens.cpp - Loops over tiles of tokens ------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTTILETOKENS
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

/// The position of the tokens among the loops of a tiled op.
static unsigned tokenLoop(TilingInterface op) {
  unsigned loops = op.getLoopIteratorTypes().size();
  // A glue has the value dim after its queries; elsewhere tokens come last.
  return isa<GlueOp>(op) ? loops - 2 : loops - 1;
}

static LogicalResult tileTokens(IRRewriter &rewriter, TilingInterface op,
                                int64_t tile) {
  if (!cast<DestinationStyleOpInterface>(*op).hasPureTensorSemantics())
    return op->emitOpError("lot-tile-tokens: expected tensors, got memrefs; "
                           "lot-to-cpu tiles buffers");
  unsigned tokens = tokenLoop(op);
  rewriter.setInsertionPoint(op);
  SmallVector<Range> domain = op.getIterationDomain(rewriter);
  if (std::optional<int64_t> length = getConstantIntValue(domain[tokens].size);
      length && *length <= tile)
    return success();
  SmallVector<OpFoldResult> sizes(domain.size(), rewriter.getIndexAttr(0));
  sizes[tokens] = rewriter.getIndexAttr(tile);
  scf::SCFTilingOptions options;
  options.setTileSizes(sizes);
  FailureOr<scf::SCFTilingResult> tiled =
      scf::tileUsingSCF(rewriter, op, options);
  if (failed(tiled))
    return op->emitOpError("lot-tile-tokens: the tokens could not be tiled");
  rewriter.replaceOp(op, tiled->replacements);
  return success();
}

namespace {
struct TileTokens : public lot::impl::LotTileTokensBase<TileTokens> {
  using Base::Base;

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<affine::AffineDialect, scf::SCFDialect>();
  }

  void runOnOperation() override {
    if (tile < 1) {
      emitError(getOperation()->getLoc())
          << "lot-tile-tokens: expected tile >= 1, got " << tile.getValue();
      return signalPassFailure();
    }
    SmallVector<TilingInterface> ops;
    getOperation()->walk([&](TilingInterface op) {
      if (isa<SweepOp, PlanOp, GlueOp>(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (TilingInterface op : ops)
      if (failed(tileTokens(rewriter, op, tile)))
        return signalPassFailure();
  }
};
} // namespace
