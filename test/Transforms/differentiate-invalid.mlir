// RUN: lot-opt %s --lot-differentiate -split-input-file -verify-diagnostics

!t = tensor<1x2x6x8xf32>
!z = tensor<2x5x8xf32>
func.func @no_rule(%q: !t, %z: !z) -> !t {
  // expected-error@+1 {{lot-differentiate: expected lot.attention, arith.addf, subf, mulf, negf or tensor.cast between arguments and results: this op has no rule}}
  %e = math.exp %q : !t
  %o = lot.attention ins(%e, %q, %q, %z : !t, !t, !t, !z) outs(%q : !t) -> !t
  return %o : !t
}

// -----

!t = memref<1x2x6x8xf32>
!z = memref<2x5x8xf32>
func.func @buffers(%q: !t, %z: !z, %o: !t) {
  // expected-error@+1 {{lot-differentiate: expected tensors, got memrefs}}
  lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%o : !t)
  return
}

// -----

!t = tensor<1x2x6x8xf32>
!z = tensor<2x5x8xf32>
// expected-error@+1 {{lot-differentiate: expected one block, got 2}}
func.func @blocks(%q: !t, %z: !z) -> !t {
  cf.br ^bb1
^bb1:
  %o = lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%q : !t) -> !t
  return %o : !t
}

// -----

!t = tensor<1x2x6x8xf32>
!z = tensor<2x5x8xf32>
func.func private @f_vjp()
// expected-error@+1 {{lot-differentiate: expected the name @f_vjp to be free}}
func.func @f(%q: !t, %z: !z) -> !t {
  %o = lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%q : !t) -> !t
  return %o : !t
}

// -----

!t = tensor<1x2x6x8xf32>
!z = tensor<2x5x8xf32>
// expected-error@+1 {{lot-differentiate: expected results that are ranked tensors of floats, got 'index'}}
func.func @index_result(%q: !t, %z: !z) -> index {
  %c2 = arith.constant 2 : index
  %o = lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%q : !t) -> !t
  %n = tensor.dim %o, %c2 : !t
  return %n : index
}

// -----

!t = tensor<1x2x6x8xf32>
!z = tensor<2x5x8xf32>
func.func @call(%q: !t, %z: !z) -> !t {
  // expected-error@+1 {{lot-differentiate: expected an op without side effects on the way to the results}}
  %e = func.call @other(%q) : (!t) -> !t
  %o = lot.attention ins(%e, %q, %q, %z : !t, !t, !t, !z) outs(%q : !t) -> !t
  return %o : !t
}
func.func private @other(!t) -> !t

// -----

!t = tensor<1x2x6x8xf32>
!z = tensor<2x5x8xf32>
!r = tensor<?xf32>
func.func @residuals(%q: !t, %z: !z, %r: !r) -> (!t, !r) {
  // expected-error@+1 {{lot-differentiate: expected no residuals}}
  %o:2 = lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%q, %r : !t, !r) -> !t, !r
  return %o#0, %o#1 : !t, !r
}
