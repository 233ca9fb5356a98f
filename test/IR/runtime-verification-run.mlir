// REQUIRES: mlir-runner
// DEFINE: %{compile} = lot-opt %s -generate-runtime-verification -canonicalize \
// DEFINE:   -one-shot-bufferize="bufferize-function-boundaries" -expand-strided-metadata \
// DEFINE:   -lower-affine -convert-to-llvm -reconcile-unrealized-casts -o %t.mlir
// DEFINE: %{run} = stdbuf -o0 mlir-runner %t.mlir -entry-point-result=void
// RUN: %{compile}
// RUN: %{run} -e good
// RUN: not --crash %{run} -e keys_longer_than_values 2>&1 | FileCheck %s --check-prefix=LENGTH
// RUN: not --crash %{run} -e grouped_heads 2>&1 | FileCheck %s --check-prefix=HEADS
// RUN: not --crash %{run} -e no_key_heads 2>&1 | FileCheck %s --check-prefix=HEADS
// RUN: not --crash %{run} -e heads_of_pivots 2>&1 | FileCheck %s --check-prefix=PIVOTS

// The assertions at work. (The op's result is not used, so canonicalization
// leaves nothing but them. stdbuf: the message is printed before the abort, which
// flushes nothing.)

func.func private @check(%b: index, %hq: index, %hk: index, %hp: index,
    %n: index, %m: index, %mv: index) attributes {no_inline} {
  %q = tensor.empty(%b, %hq, %n) : tensor<?x?x?x8xf32>
  %k = tensor.empty(%b, %hk, %m) : tensor<?x?x?x8xf32>
  %v = tensor.empty(%b, %hk, %mv) : tensor<?x?x?x5xf32>
  %z = tensor.empty(%hp) : tensor<?x3x8xf32>
  %o = tensor.empty(%b, %hq, %n) : tensor<?x?x?x5xf32>
  %r = lot.attention
      ins(%q, %k, %v, %z : tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>,
          tensor<?x?x?x5xf32>, tensor<?x3x8xf32>)
      outs(%o : tensor<?x?x?x5xf32>) -> tensor<?x?x?x5xf32>
  return
}

// Grouped heads, n != m, and sizes of zero are right.
func.func @good() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c7 = arith.constant 7 : index
  call @check(%c2, %c4, %c2, %c2, %c1, %c7, %c7) : (index, index, index, index, index, index, index) -> ()
  call @check(%c2, %c4, %c2, %c4, %c1, %c7, %c7) : (index, index, index, index, index, index, index) -> ()
  call @check(%c0, %c4, %c4, %c4, %c0, %c0, %c0) : (index, index, index, index, index, index, index) -> ()
  call @check(%c1, %c0, %c0, %c0, %c7, %c7, %c7) : (index, index, index, index, index, index, index) -> ()
  return
}

// LENGTH: C10: expected value to have the length of key
func.func @keys_longer_than_values() {
  %c2 = arith.constant 2 : index
  %c7 = arith.constant 7 : index
  call @check(%c2, %c2, %c2, %c2, %c2, %c7, %c2) : (index, index, index, index, index, index, index) -> ()
  return
}

// HEADS: C7: expected the heads of query to be a multiple of the heads of key
func.func @grouped_heads() {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  call @check(%c2, %c3, %c2, %c3, %c2, %c2, %c2) : (index, index, index, index, index, index, index) -> ()
  return
}
func.func @no_key_heads() {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  call @check(%c2, %c2, %c0, %c2, %c2, %c2, %c2) : (index, index, index, index, index, index, index) -> ()
  return
}

// PIVOTS: C8: expected the heads of pivots to be those of query or of key
func.func @heads_of_pivots() {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  call @check(%c2, %c4, %c2, %c1, %c2, %c2, %c2) : (index, index, index, index, index, index, index) -> ()
  return
}
