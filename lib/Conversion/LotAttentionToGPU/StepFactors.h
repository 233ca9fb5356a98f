//===- StepFactors.h - Half-steps backwards from the plan -------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STEPFACTORS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STEPFACTORS_H

#include "Sides.h"

namespace mlir::lot {

/// Weights of all steps as multiples of the plan R, without exponentials of
/// their own. With a = 2^(y_(s-1) - last) and p = 2^(y_s - mass - last) of the
/// pivots,
///
///     A_ij = R_ij a_j / t_i    P_ij = R_ij p_j mass_i / t_i    t = sum_j R a
///
/// Where the potentials are far apart, or a t_i is out of a range in which
/// nothing counts as missing, tiles take their steps with weights as they were.
struct StepFactors {
  Value tokens;  ///< shared [steps][pivots]: a
  Value pivots;  ///< shared [steps][pivots]: p times the cotangent of y_s
  Value near;    ///< i1: they can be used
  int64_t first; ///< the step of the first row
};

/// Of the steps from `first` on, up to `steps`; null where there is no room.
std::optional<StepFactors> makeStepFactors(Kernel &k, const Facts &facts,
                                           int64_t first, int64_t steps);

/// `potential` and `cotangent` of a step and a pivot, `last` and `mass` of a
/// pivot. All threads are here.
void fillStepFactors(Kernel &k, StepFactors &factors, Value last, Value mass,
                     function_ref<Value(Value step, Value j)> potential,
                     function_ref<Value(Value step, Value j)> cotangent);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STEPFACTORS_H
