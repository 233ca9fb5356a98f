//===- HoverDocs.h - Descriptions of ops in an editor -------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TOOLS_HOVERDOCS_H
#define LOT_TOOLS_HOVERDOCS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlir::lot {

/// Summary, syntax and description of an op of the dialect as Markdown; empty
/// if there is no such op.
llvm::StringRef getOpDocs(llvm::StringRef opName);

/// A message of the server for the editor: what is shown over a lot op gets the
/// op's description, everything else stays as it is.
std::string addHoverDocs(llvm::StringRef message);

/// Runs the server with its stdout going through `addHoverDocs`. MLIR's server
/// shows an op in generic form and cannot be extended.
int runWithHoverDocs(llvm::function_ref<int()> server);

} // namespace mlir::lot

#endif // LOT_TOOLS_HOVERDOCS_H
