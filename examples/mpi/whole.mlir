// The functions of attention.mlir for one process that has all tokens.
func.func @whole_forward(%q: memref<?x2x?x32xf32>, %k: memref<?x2x?x32xf32>, %v: memref<?x2x?x32xf32>,
                         %z: memref<2x16x32xf32>, %o: memref<?x2x?x32xf32>) attributes {llvm.emit_c_interface} {
  lot.attention {epsilon = 0.5 : f64, half_steps = 10 : i64}
      ins(%q, %k, %v, %z : memref<?x2x?x32xf32>, memref<?x2x?x32xf32>, memref<?x2x?x32xf32>, memref<2x16x32xf32>)
      outs(%o : memref<?x2x?x32xf32>)
  return
}

func.func @whole_backward(%do: memref<?x2x?x32xf32>, %q: memref<?x2x?x32xf32>, %k: memref<?x2x?x32xf32>,
                          %v: memref<?x2x?x32xf32>, %z: memref<2x16x32xf32>, %dq: memref<?x2x?x32xf32>,
                          %dk: memref<?x2x?x32xf32>, %dv: memref<?x2x?x32xf32>, %dz: memref<2x16x32xf32>)
    attributes {llvm.emit_c_interface} {
  lot.attention_vjp {epsilon = 0.5 : f64, half_steps = 10 : i64}
      ins(%do, %q, %k, %v, %z : memref<?x2x?x32xf32>, memref<?x2x?x32xf32>, memref<?x2x?x32xf32>,
          memref<?x2x?x32xf32>, memref<2x16x32xf32>)
      outs(%dq, %dk, %dv, %dz : memref<?x2x?x32xf32>, memref<?x2x?x32xf32>, memref<?x2x?x32xf32>, memref<2x16x32xf32>)
  return
}
