// What the pass cannot lower is an error that names the op and the pipeline.
// RUN: lot-opt %s --lot-expand-heads -split-input-file -verify-diagnostics

func.func @tensors(%q: tensor<1x1x?x16xf32>, %z: tensor<1x5x16xf32>) -> tensor<1x1x?x16xf32> {
  // expected-error@+1 {{'lot.attention' op cannot be expanded on tensors: bufferize first (pipeline lot-to-cpu)}}
  %o = lot.attention ins(%q, %q, %q, %z : tensor<1x1x?x16xf32>, tensor<1x1x?x16xf32>, tensor<1x1x?x16xf32>,
      tensor<1x5x16xf32>) outs(%q : tensor<1x1x?x16xf32>) -> tensor<1x1x?x16xf32>
  return %o : tensor<1x1x?x16xf32>
}

// -----

func.func @unscheduled(%q: memref<1x1x?x16xf32>, %z: memref<1x5x16xf32>) {
  // expected-error@+1 {{'lot.attention' op expected a #lot.cpu_schedule; run lot-select-schedule (pipeline lot-to-cpu)}}
  lot.attention ins(%q, %q, %q, %z : memref<1x1x?x16xf32>, memref<1x1x?x16xf32>, memref<1x1x?x16xf32>,
      memref<1x5x16xf32>) outs(%q : memref<1x1x?x16xf32>)
  return
}
