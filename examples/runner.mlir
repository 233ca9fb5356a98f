// lot.attention on numbers made here, printed: after lot-to-linalg, LLVM's own
// mlir-opt and mlir-runner do the rest (docs/integrations.md).

// element = ((7 i + 3 j + 5 h + seed) mod 13 - 6) / 8
func.func private @element(%h: index, %i: index, %j: index, %seed: index) -> f32 {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %c7 = arith.constant 7 : index
  %c13 = arith.constant 13 : index
  %c6 = arith.constant 6.0 : f32
  %eighth = arith.constant 0.125 : f32
  %0 = arith.muli %i, %c7 : index
  %1 = arith.muli %j, %c3 : index
  %2 = arith.muli %h, %c5 : index
  %3 = arith.addi %0, %1 : index
  %4 = arith.addi %3, %2 : index
  %5 = arith.addi %4, %seed : index
  %6 = arith.remui %5, %c13 : index
  %7 = arith.index_cast %6 : index to i32
  %8 = arith.uitofp %7 : i32 to f32
  %9 = arith.subf %8, %c6 : f32
  %10 = arith.mulf %9, %eighth : f32
  return %10 : f32
}

func.func private @tokens(%n: index, %seed: index) -> tensor<1x2x?x4xf32> {
  %x = tensor.generate %n {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %e = func.call @element(%h, %i, %j, %seed) : (index, index, index, index) -> f32
    tensor.yield %e : f32
  } : tensor<1x2x?x4xf32>
  return %x : tensor<1x2x?x4xf32>
}

func.func private @printMemrefF32(tensor<*xf32>) attributes {llvm.emit_c_interface}

func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %c8 = arith.constant 8 : index
  %q = call @tokens(%c5, %c0) : (index, index) -> tensor<1x2x?x4xf32>
  %k = call @tokens(%c8, %c1) : (index, index) -> tensor<1x2x?x4xf32>
  %v = call @tokens(%c8, %c2) : (index, index) -> tensor<1x2x?x4xf32>
  %z = tensor.generate {
  ^bb0(%h: index, %i: index, %j: index):
    %e = func.call @element(%h, %i, %j, %c3) : (index, index, index, index) -> f32
    tensor.yield %e : f32
  } : tensor<2x3x4xf32>
  %init = tensor.empty(%c5) : tensor<1x2x?x4xf32>
  %o = lot.attention {epsilon = 0.5 : f64, half_steps = 6 : i64}
      ins(%q, %k, %v, %z : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>,
          tensor<1x2x?x4xf32>, tensor<2x3x4xf32>)
      outs(%init : tensor<1x2x?x4xf32>) -> tensor<1x2x?x4xf32>
  %any = tensor.cast %o : tensor<1x2x?x4xf32> to tensor<*xf32>
  call @printMemrefF32(%any) : (tensor<*xf32>) -> ()
  return
}
