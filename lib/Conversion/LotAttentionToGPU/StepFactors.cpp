//===- StepFactors.cpp - Half-steps backwards from the plan ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StepFactors.h"

using namespace mlir;
using namespace mlir::lot;

std::optional<StepFactors> lot::makeStepFactors(Kernel &k, const Facts &facts,
                                                int64_t first, int64_t steps) {
  constexpr int64_t kMostBytes = 16 * 1024;
  int64_t rows = steps - first + 1, bytes = 8 * rows * facts.pivots();
  if (rows <= 0 || bytes > kMostBytes || !k.shared.hasRoom(bytes))
    return std::nullopt;
  Value tokens = k.shared.allocate({rows, facts.pivots()}, k.getF32Type());
  Value pivots = k.shared.allocate({rows, facts.pivots()}, k.getF32Type());
  return StepFactors{tokens, pivots, Value(), first};
}

void lot::fillStepFactors(Kernel &k, StepFactors &factors, Value last,
                          Value mass,
                          function_ref<Value(Value step, Value j)> potential,
                          function_ref<Value(Value step, Value j)> cotangent) {
  constexpr double kMostExponent = 30;
  auto type = cast<MemRefType>(factors.tokens.getType());
  int64_t pivots = type.getDimSize(1);
  Value near = k.forLoop(
      k.thread(), k.index(type.getNumElements()), k.index(k.getThreads()),
      k.flag(true), [&](Value i, ValueRange carried) -> Values {
        Value row = k.div(i, pivots), j = k.rem(i, pivots);
        Value step = k.add(row, factors.first);
        Value to = k.load(last, j);
        Value before = potential(k.sub(step, k.index(1)), j);
        Value after = potential(step, j);
        Value present =
            k.either(k.isLive(to), k.either(k.isLive(before), k.isLive(after)));
        Value exponents[2] = {
            k.subf(before, to),
            k.subf(k.subf(after, k.load(mass, j)), to),
        };
        Value good = k.flag(true), powers[2];
        for (int64_t e = 0; e < 2; ++e) {
          Value inside = k.both(k.greater(k.f32(kMostExponent), exponents[e]),
                                k.greater(exponents[e], k.f32(-kMostExponent)));
          good = k.both(good, inside);
          powers[e] = k.select(present, k.exp2(exponents[e]), k.f32(0));
        }
        k.store(powers[0], factors.tokens, {row, j});
        Value u = k.select(present, cotangent(step, j), k.f32(0));
        k.store(k.mulf(powers[1], u), factors.pivots, {row, j});
        return {k.both(carried[0], k.either(k.invert(present), good))};
      })[0];
  factors.near = k.invert(k.barrierAny(k.invert(near)));
}
