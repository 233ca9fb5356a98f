//===- ExpandExp2.cpp - math.exp2 to a polynomial -------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTEXPANDEXP2
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;

namespace {
/// What a float format needs: rounding to an integer by adding 1.5 * 2^mantissa
/// leaves that integer in the low bits.
struct Format {
  int64_t bits, mantissa;
  double smallest;                  ///< exponent of the smallest normal
  double largest;                   ///< largest exponent of a scalar argument
  SmallVector<double> coefficients; ///< of f^degree ... f^0
};
} // namespace

static Format getFormat(FloatType type) {
  if (type.isF32()) // minimax on [-0.5, 0.5], relative error 2e-8
    return {32,
            23,
            -126.0,
            127.0,
            {1.540353e-4, 1.33335581e-3, 9.61812910e-3, 5.55041086e-2,
             2.40226507e-1, 6.93147182e-1, 1.0}};
  Format format{64, 52, -1022.0, 1023.0, {}};
  // Taylor to degree 13: the first term left out is 4e-18 at f = 0.5.
  double term = 1.0;
  for (int64_t k = 0; k <= 13; ++k) {
    format.coefficients.insert(format.coefficients.begin(), term);
    term *= llvm::numbers::ln2 / (k + 1);
  }
  return format;
}

namespace {
struct ExpandExp2 : public OpRewritePattern<math::Exp2Op> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::Exp2Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
    if (!element || !(element.isF32() || element.isF64()))
      return rewriter.notifyMatchFailure(op, "expected f32 or f64");
    auto vector = dyn_cast<VectorType>(type);
    if (!vector && isa<ShapedType>(type))
      return rewriter.notifyMatchFailure(op, "expected a scalar or a vector");

    Format format = getFormat(element);
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type bits = b.getIntegerType(format.bits);
    if (vector)
      bits = vector.clone(bits);
    auto constant = [&](double value) -> Value {
      TypedAttr attr = b.getFloatAttr(element, value);
      if (vector)
        attr = DenseElementsAttr::get(vector, Attribute(attr));
      return arith::ConstantOp::create(b, attr);
    };
    auto fma = [&](Value x, Value y, Value z) -> Value {
      if (vector)
        return vector::FMAOp::create(b, x, y, z);
      return arith::AddFOp::create(b, arith::MulFOp::create(b, x, y), z);
    };

    // In place of NaN-aware maxima: the flags make these one instruction.
    auto flags = arith::FastMathFlags::nnan | arith::FastMathFlags::nsz;
    Value x = arith::MaxNumFOp::create(b, op.getOperand(),
                                       constant(format.smallest), flags);
    if (!vector) // vectors on the hot path are never above 127
      x = arith::MinNumFOp::create(b, x, constant(format.largest), flags);
    Value magic = constant(1.5 * std::ldexp(1.0, format.mantissa));
    Value shifted = arith::AddFOp::create(b, x, magic);
    Value f =
        arith::SubFOp::create(b, x, arith::SubFOp::create(b, shifted, magic));
    Value p = constant(format.coefficients.front());
    for (double c : ArrayRef(format.coefficients).drop_front())
      p = fma(p, f, constant(c));
    TypedAttr shift =
        b.getIntegerAttr(getElementTypeOrSelf(bits), format.mantissa);
    if (vector)
      shift = DenseElementsAttr::get(cast<VectorType>(bits), Attribute(shift));
    Value exponent =
        arith::ShLIOp::create(b, arith::BitcastOp::create(b, bits, shifted),
                              arith::ConstantOp::create(b, shift));
    Value sum = arith::AddIOp::create(b, arith::BitcastOp::create(b, bits, p),
                                      exponent);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, type, sum);
    return success();
  }
};

struct LotExpandExp2 : public lot::impl::LotExpandExp2Base<LotExpandExp2> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](math::Exp2Op op) { ops.push_back(op); });
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExp2>(&getContext());
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingOps);
    (void)applyOpPatternsGreedily(ops, std::move(patterns), config);
  }
};
} // namespace
