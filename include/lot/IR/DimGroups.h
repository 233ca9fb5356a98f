//===- DimGroups.h - Dims of an op that must be equal -------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which sizes of an op's operands must be equal is written down once for each
// op (`getDimGroups`) and read by three: the verifier compares the static
// sizes, runtime verification the dynamic ones, and the value bounds model
// tells analyses that they are the same.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_DIMGROUPS_H
#define LOT_IR_DIMGROUPS_H

#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "mlir/IR/Value.h"

namespace mlir::lot {

/// An operand and the name users know it by.
struct Named {
  Value value;
  StringRef name;

  ShapedType type() const { return cast<ShapedType>(value.getType()); }
  int64_t rank() const { return type().getRank(); }
  int64_t dim(int64_t i) const {
    return type().getDimSize(i < 0 ? rank() + i : i);
  }
};

/// One dim of an operand.
struct OperandDim {
  Named operand;
  int64_t dim;

  int64_t size() const { return operand.dim(dim); }
};

/// Dims that must have one size; the first one is quoted as the expectation.
struct DimGroup {
  StringRef label; ///< of the constraint in docs/spec.md
  StringRef what;  ///< what the size is, e.g. "batch size"
  SmallVector<OperandDim, 6> dims;

  DimGroup(StringRef label, StringRef what) : label(label), what(what) {}

  /// Adds the dim, counted from the end if negative. A null operand is an
  /// optional one that is absent: it adds nothing.
  DimGroup &add(Named operand, int64_t dim) {
    if (operand.value)
      dims.push_back({operand, dim < 0 ? operand.rank() + dim : dim});
    return *this;
  }

  /// The same, for an operand that has the dim only at this rank.
  DimGroup &addAtRank(int64_t rank, Named operand, int64_t dim) {
    return operand.value && operand.rank() == rank ? add(operand, dim) : *this;
  }
};

using DimGroups = SmallVector<DimGroup, 9>;

} // namespace mlir::lot

#endif // LOT_IR_DIMGROUPS_H
