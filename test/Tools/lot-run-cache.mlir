// REQUIRES: lot-run, numpy
// RUN: rm -rf %t && mkdir -p %t
// RUN: %npy "save('%t/a.npy', arange(5, dtype='f4'))"

// A process compiles, the next one finds the code.
// RUN: env LOT_CACHE_DIR=%t/code lot-run %s --entry=f --input=%t/a.npy --output=%t/b.npy | FileCheck %s --check-prefix=MISS
// RUN: %npy "expect(load('%t/b.npy'), load('%t/a.npy') * float32(2))"
// RUN: env LOT_CACHE_DIR=%t/code lot-run %s --entry=f --input=%t/a.npy --output=%t/c.npy | FileCheck %s --check-prefix=HIT
// RUN: %npy "expect(load('%t/c.npy'), load('%t/b.npy'))"
// MISS: compiled in {{[0-9.]+}} s (lower {{[0-9.]+}}, translate {{[0-9.]+}}, optimize {{[0-9.]+}}, code {{[0-9.]+}}, load {{[0-9.]+}})
// HIT: loaded from the cache in {{[0-9.]+}} s

// Without the folder, and with another option.
// RUN: env LOT_CACHE_DIR=%t/code lot-run %s --entry=f --input=%t/a.npy --output=%t/c.npy --cache=false | FileCheck %s --check-prefix=MISS
// RUN: env LOT_CACHE_DIR=%t/code lot-run %s --entry=f --input=%t/a.npy --output=%t/c.npy --verify=false | FileCheck %s --check-prefix=MISS

// A failed check still names the place, also when the code comes from the cache.
// RUN: %npy "save('%t/two.npy', arange(2, dtype='f4'))"
// RUN: env LOT_CACHE_DIR=%t/code not lot-run %s --entry=g --input=%t/a.npy --input=%t/two.npy --output=%t/c.npy 2>&1 | FileCheck %s --check-prefix=CHECKED
// CHECKED: lot-run: error: function 'g': {{.*}}lot-run-cache.mlir:{{[0-9]+}}: 'linalg.

// A folder that cannot be used is a warning, not an error.
// RUN: env LOT_CACHE_DIR=%t/a.npy lot-run %s --entry=f --input=%t/a.npy --output=%t/d.npy > %t/out 2> %t/err
// RUN: FileCheck %s --check-prefix=MISS < %t/out
// RUN: FileCheck %s --check-prefix=WARN < %t/err
// WARN: lot-run: warning: compiled code cannot be kept in the cache folder '{{.*}}a.npy': Not a directory; every process compiles anew (LOT_CACHE_DIR names another folder, LOT_CACHE_DIR=off does without)
// RUN: %npy "expect(load('%t/d.npy'), load('%t/b.npy'))"

func.func @f(%a: tensor<?xf32>) -> tensor<?xf32> {
  %b = linalg.add ins(%a, %a : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
  return %b : tensor<?xf32>
}

func.func @g(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %c = linalg.add ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
  return %c : tensor<?xf32>
}
