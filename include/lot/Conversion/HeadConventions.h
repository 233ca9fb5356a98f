//===- HeadConventions.h - Numbers the head ops agree on --------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_CONVERSION_HEADCONVENTIONS_H
#define LOT_CONVERSION_HEADCONVENTIONS_H

namespace mlir::lot {

/// The log2 potential of an absent pivot, and the bound below which a value is
/// taken for one. Finite, so that no inf - inf arises.
inline constexpr double kAbsent = -1.0e30;
inline constexpr double kAbsentBound = -1.0e29;

} // namespace mlir::lot

#endif // LOT_CONVERSION_HEADCONVENTIONS_H
