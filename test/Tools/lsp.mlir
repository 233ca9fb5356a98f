// REQUIRES: lot-lsp-server
// The language server knows the dialect: it reports what the verifier says, at
// the line of the op, and nothing about right IR.
// RUN: %python %S/Inputs/lsp_client.py lot-lsp-server %s | FileCheck %s
// RUN: %python %S/Inputs/lsp_client.py lot-lsp-server %lot_src/examples/attention.mlir | FileCheck %s --check-prefix=RIGHT

// CHECK: server: mlir-lsp-server
// CHECK-NEXT: line [[@LINE+27]]: {{.*}}half_steps
// CHECK-NEXT: end of diagnostics

// RIGHT: server: mlir-lsp-server
// RIGHT-NEXT: end of diagnostics

// Over an op: what MLIR's server shows, and the op's description.
// RUN: %python %S/Inputs/lsp_client.py lot-lsp-server %lot_src/examples/attention.mlir lot.attention | FileCheck %s --check-prefix=HOVER
// HOVER: end of diagnostics
// HOVER-NEXT: "lot.attention"
// HOVER: Generic Form:
// HOVER: ***
// HOVER-NEXT: _Doubly-stochastic attention through r pivots_
// HOVER: | query | [B, Hq, n, d] | f16, bf16, f32 or f64 |
// HOVER: Constraints: C1 to C22 of docs/spec.md.
// HOVER-NOT: Traits:

// RUN: lot-lsp-server --help | FileCheck %s --check-prefix=HELP
// HELP: MLIR LSP Language Server

// Another dialect's op stays as it is.
// RUN: %python %S/Inputs/lsp_client.py lot-lsp-server %lot_src/examples/attention.mlir tensor.empty | FileCheck %s --check-prefix=OTHER
// OTHER: "tensor.empty"
// OTHER-NOT: ***

func.func @f(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x5x4xf32>, %z: tensor<2x6x4xf32>, %o: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  // The error is in the next line.
  %r = lot.attention {half_steps = 0 : i64} ins(%q, %k, %k, %z : tensor<1x2x3x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<2x6x4xf32>) outs(%o : tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %r : tensor<1x2x3x4xf32>
}
