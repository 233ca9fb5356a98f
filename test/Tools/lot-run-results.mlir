// REQUIRES: lot-run, numpy
// Results own their memory: none is an argument's, none is another result's,
// each is freed once. glibc checks: freed memory is overwritten, a second free
// aborts.
// RUN: rm -rf %t && mkdir -p %t
// RUN: %npy "save('%t/x.npy', arange(12, dtype='f4').reshape(3, 4)); save('%t/s.npy', float32(2))"

// RUN: env MALLOC_PERTURB_=165 lot-run %s --entry=argument_twice --input=%t/x.npy --output=%t/a.npy --output=%t/b.npy --time
// RUN: %npy "x = load('%t/x.npy'); expect(load('%t/a.npy'), x); expect(load('%t/b.npy'), x)"
func.func @argument_twice(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  return %x, %x : tensor<3x4xf32>, tensor<3x4xf32>
}

// The destination is an argument; its values must survive the first run for
// the second to give the same.
// RUN: env MALLOC_PERTURB_=165 lot-run %s --entry=scale --input=%t/x.npy --input=%t/s.npy --output=%t/a.npy --output=%t/b.npy --output=%t/c.npy --time
// RUN: %npy "x = load('%t/x.npy'); expect(load('%t/a.npy'), 2 * x); expect(load('%t/b.npy'), 2 * x); expect(load('%t/c.npy'), x)"
func.func @scale(%x: tensor<?x4xf32>, %s: f32) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> ()>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%s : f32) outs(%x : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  return %r, %r, %x : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// A slice of an argument, a slice of a result, a constant.
// RUN: env MALLOC_PERTURB_=165 lot-run %s --entry=slices --input=%t/x.npy --output=%t/a.npy --output=%t/b.npy --output=%t/c.npy --time
// RUN: %npy "x = load('%t/x.npy'); expect(load('%t/a.npy'), x[1:3, :2]); expect(load('%t/b.npy'), x + x); expect(load('%t/c.npy'), array([5, 6], 'f4'))"
func.func @slices(%x: tensor<3x4xf32>) -> (tensor<2x2xf32>, tensor<3x4xf32>, tensor<2xf32>) {
  %a = tensor.extract_slice %x[1, 0] [2, 2] [1, 1] : tensor<3x4xf32> to tensor<2x2xf32>
  %empty = tensor.empty() : tensor<3x4xf32>
  %b = linalg.add ins(%x, %x : tensor<3x4xf32>, tensor<3x4xf32>) outs(%empty : tensor<3x4xf32>) -> tensor<3x4xf32>
  %c = arith.constant dense<[5.0, 6.0]> : tensor<2xf32>
  return %a, %b, %c : tensor<2x2xf32>, tensor<3x4xf32>, tensor<2xf32>
}

// One of two values, known at run time only.
// RUN: %npy "save('%t/yes.npy', bool_(True)); save('%t/no.npy', bool_(False))"
// RUN: env MALLOC_PERTURB_=165 lot-run %s --entry=choose --input=%t/yes.npy --input=%t/x.npy --output=%t/a.npy --time
// RUN: env MALLOC_PERTURB_=165 lot-run %s --entry=choose --input=%t/no.npy --input=%t/x.npy --output=%t/b.npy --time
// RUN: %npy "x = load('%t/x.npy'); expect(load('%t/a.npy'), x); expect(load('%t/b.npy'), x + x)"
func.func @choose(%c: i1, %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %r = scf.if %c -> tensor<3x4xf32> {
    scf.yield %x : tensor<3x4xf32>
  } else {
    %empty = tensor.empty() : tensor<3x4xf32>
    %b = linalg.add ins(%x, %x : tensor<3x4xf32>, tensor<3x4xf32>) outs(%empty : tensor<3x4xf32>) -> tensor<3x4xf32>
    scf.yield %b : tensor<3x4xf32>
  }
  return %r : tensor<3x4xf32>
}

// A function that calls another public one.
// RUN: env MALLOC_PERTURB_=165 lot-run %s --entry=outer --input=%t/x.npy --input=%t/s.npy --output=%t/a.npy --time
// RUN: %npy "expect(load('%t/a.npy'), 4 * load('%t/x.npy'))"
func.func @outer(%x: tensor<?x4xf32>, %s: f32) -> tensor<?x4xf32> {
  %a:3 = call @scale(%x, %s) : (tensor<?x4xf32>, f32) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  %b:3 = call @scale(%a#1, %s) : (tensor<?x4xf32>, f32) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return %b#0 : tensor<?x4xf32>
}
