// REQUIRES: lot-run, numpy
// What is wrong is said, with exit code 1, and nothing is written.
// RUN: rm -rf %t && mkdir -p %t && split-file %s %t
// RUN: %npy "save('%t/x.npy', zeros((2, 3), 'f4')); save('%t/x4.npy', zeros((2, 4), 'f4')); save('%t/x1.npy', zeros(3, 'f4')); save('%t/d.npy', zeros((2, 3)))"
// RUN: ls -A %t > %t.before

// The entry.
// RUN: not lot-run %t/add.mlir --entry=sum --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=ENTRY
// ENTRY: lot-run: error: no function 'sum', expected one of: add, twice
// RUN: not lot-run %t/add.mlir --entry=hidden --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=HIDDEN
// HIDDEN: lot-run: error: no function 'hidden', expected one of: add, twice
// RUN: not lot-run %t/add.mlir 2>&1 | FileCheck %s --check-prefix=NOENTRY
// NOENTRY: --entry option: must be specified

// Numbers of inputs and outputs.
// RUN: not lot-run %t/add.mlir --entry=add --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=INPUTS
// INPUTS: lot-run: error: expected 2 --input for function 'add', got 1
// RUN: not lot-run %t/add.mlir --entry=add --input=%t/x.npy --input=%t/x.npy 2>&1 | FileCheck %s --check-prefix=OUTPUTS
// OUTPUTS: lot-run: error: expected 1 --output for function 'add', got 0
// RUN: not lot-run %t/add.mlir --entry=twice --input=%t/x.npy --output=%t/r.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=SAME
// SAME: lot-run: error: expected different files, got --output={{.*}}r.npy twice

// Types of inputs.
// RUN: not lot-run %t/add.mlir --entry=add --input=%t/x.npy --input=%t/x4.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=SIZE
// SIZE: lot-run: error: function 'add', argument #1: expected size 3 in dimension 1, got 4 (expected shape ?x3, got 2x4)
// RUN: not lot-run %t/add.mlir --entry=add --input=%t/x1.npy --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=RANK
// RANK: lot-run: error: function 'add', argument #0: expected rank 2 (?x3), got rank 1 (3)
// RUN: not lot-run %t/add.mlir --entry=add --input=%t/d.npy --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=DTYPE
// DTYPE: lot-run: error: function 'add', argument #0: expected element type f32, got f64

// Outputs that cannot be written are found before the compilation (of IR that
// would not even parse).
// RUN: not lot-run %t/bad.mlir --entry=f --output=%t/none/r.npy 2>&1 | FileCheck %s --check-prefix=NOFOLDER
// NOFOLDER: lot-run: error: '{{.*}}none/r.npy': cannot write: {{.*}}No such file or directory
// RUN: not lot-run %t/bad.mlir --entry=f --output=%t/x.npy/r.npy 2>&1 | FileCheck %s --check-prefix=NODIR
// NODIR: lot-run: error: '{{.*}}x.npy/r.npy': cannot write: {{.*}}Not a directory
// RUN: not lot-run %t/bad.mlir --entry=f --output=%t 2>&1 | FileCheck %s --check-prefix=FOLDER
// RUN: not lot-run %t/bad.mlir --entry=f --output=/dev/null 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: lot-run: error: '{{.*}}': cannot write: expected a regular file or none

// The command line.
// RUN: not lot-run %t/none.mlir --entry=f 2>&1 | FileCheck %s --check-prefix=NOFILE
// NOFILE: lot-run: error: '{{.*}}none.mlir': cannot read: No such file or directory
// RUN: not lot-run %t/add.mlir --entry=twice --input=%t/x.npy --output=%t/r.npy --threads=0 2>&1 | FileCheck %s --check-prefix=THREADS
// THREADS: lot-run: error: expected --threads of at least 1, got 0
// RUN: not lot-run %t/add.mlir --entry=twice --input=%t/x.npy --output=%t/r.npy --mcpu=pentium9 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: lot-run: error: expected a processor name that LLVM knows for {{.+}}, or native, got 'pentium9'
// RUN: not lot-run %t/add.mlir --entry=twice --input=%t/x.npy --output=%t/r.npy --mcpu=pentium4 2>&1 | FileCheck %s --check-prefix=SMALL
// SMALL: lot-run: error: expected a processor name that LLVM knows for {{.+}}, or native, got 'pentium4'
// (No machine of ours has Intel's next-but-one.)
// RUN: not lot-run %t/add.mlir --entry=twice --input=%t/x.npy --output=%t/r.npy --mcpu=diamondrapids 2>&1 | FileCheck %s --check-prefix=LACKS
// LACKS: lot-run: error: {{code for processor 'diamondrapids' cannot run here: this machine .* lacks .+|expected a processor name that LLVM knows}}
// RUN: not lot-run %t/add.mlir --entry=twice --frobnicate 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: Unknown command line argument '--frobnicate'

// The module.
// RUN: not lot-run %t/bad.mlir --entry=f --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=PARSE
// PARSE: lot-run: error: expected a module: {{.*}}bad.mlir:2:8: custom op 'arith.nonsense' is unknown
// RUN: not lot-run %t/empty.mlir --entry=f --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: lot-run: error: expected a public function with a body, the module has none
// RUN: not lot-run %t/complex.mlir --entry=f --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=COMPLEX
// COMPLEX: lot-run: error: function 'f': expected argument #1 to be a ranked tensor or memref of f16, {{.*}}, got 'tensor<2xcomplex<f32>>'
// RUN: not lot-run %t/unranked.mlir --entry=f --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=UNRANKED
// UNRANKED: lot-run: error: function 'f': expected result #0 to be a ranked tensor {{.*}}, got 'tensor<*xf32>'
// RUN: not lot-run %t/space.mlir --entry=f --input=%t/x.npy 2>&1 | FileCheck %s --check-prefix=SPACE
// SPACE: lot-run: error: function 'f': expected argument #0 to be {{.*}}, got 'memref<2xf32, 3>'
// RUN: not lot-run %t/symbol.mlir --entry=f --input=%t/x.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=SYMBOL
// SYMBOL: lot-run: error: linking failed: {{(.|[[:space:]])*}}no_such_function_anywhere

// RUN: not lot-run %t/gpu.mlir --entry=f --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=LOWER
// LOWER: lot-run: error: {{.*}}gpu.mlir:2:{{.*}}gpu.block_id

// RUN: ls -A %t | diff - %t.before

//--- add.mlir
func.func @add(%x: tensor<?x3xf32>, %y: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %r = linalg.add ins(%x, %y : tensor<?x3xf32>, tensor<?x3xf32>) outs(%x : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}
func.func @twice(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = tensor.cast %x : tensor<2x3xf32> to tensor<?x3xf32>
  %r = call @hidden(%y) : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %s = tensor.cast %r : tensor<?x3xf32> to tensor<2x3xf32>
  return %s : tensor<2x3xf32>
}
func.func private @hidden(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %r = call @add(%x, %x) : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}
//--- bad.mlir
func.func @f() -> f32 {
  %r = arith.nonsense : f32
  return %r : f32
}
//--- empty.mlir
func.func private @f() -> f32
//--- complex.mlir
func.func @f(%x: tensor<2x3xf32>, %y: tensor<2xcomplex<f32>>) -> tensor<2x3xf32> {
  return %x : tensor<2x3xf32>
}
//--- unranked.mlir
func.func @f(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %r = tensor.cast %x : tensor<2x3xf32> to tensor<*xf32>
  return %r : tensor<*xf32>
}
//--- space.mlir
func.func @f(%x: memref<2xf32, 3>) {
  return
}
//--- symbol.mlir
func.func private @no_such_function_anywhere() -> f32
func.func @f(%x: tensor<2x3xf32>) -> f32 {
  %r = call @no_such_function_anywhere() : () -> f32
  return %r : f32
}
//--- gpu.mlir
func.func @f() -> index {
  %r = gpu.block_id x
  return %r : index
}
