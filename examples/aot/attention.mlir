// One function for a C program: any batch, heads and lengths; head dim 24 and 6
// pivots per head are fixed. README of the calling convention: main.c.
//
//   lot-opt attention.mlir --lot-to-cpu=openmp=false | \
//     mlir-translate --mlir-to-llvmir | clang -O2 -x ir -c - -o attention.o
//   cc main.c attention.o -lm -o attention && ./attention
func.func @attention(%q: memref<?x?x?x24xf32>, %k: memref<?x?x?x24xf32>,
                     %v: memref<?x?x?x24xf32>, %pivots: memref<?x6x24xf32>,
                     %out: memref<?x?x?x24xf32>)
    attributes {llvm.emit_c_interface} {
  lot.attention {epsilon = 0.5 : f64, half_steps = 6 : i64}
      ins(%q, %k, %v, %pivots : memref<?x?x?x24xf32>, memref<?x?x?x24xf32>,
          memref<?x?x?x24xf32>, memref<?x6x24xf32>)
      outs(%out : memref<?x?x?x24xf32>)
  return
}
