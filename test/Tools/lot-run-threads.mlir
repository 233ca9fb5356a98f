// REQUIRES: lot-run, numpy
// --threads reaches OpenMP, whose runtime is loaded because the code calls it.
// RUN: rm -rf %t && mkdir -p %t
// RUN: lot-run %s --entry=threads --output=%t/one.npy --threads=1
// RUN: lot-run %s --entry=threads --output=%t/five.npy --threads=5
// RUN: env OMP_NUM_THREADS=3 lot-run %s --entry=threads --output=%t/three.npy
// RUN: %npy "expect(load('%t/one.npy'), int32(1)); expect(load('%t/five.npy'), int32(5)); expect(load('%t/three.npy'), int32(3))"
func.func private @omp_get_max_threads() -> i32
func.func @threads() -> i32 {
  %n = call @omp_get_max_threads() : () -> i32
  return %n : i32
}
