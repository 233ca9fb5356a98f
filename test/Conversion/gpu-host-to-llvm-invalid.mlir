// RUN: lot-opt %s --lot-gpu-host-to-llvm --split-input-file --verify-diagnostics

func.func @load(%x: memref<4xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  // expected-error @below {{'memref.load' op cannot run on the host: the memory is the GPU's; expected it in a kernel}}
  %v = memref.load %x[%c0] : memref<4xf32>
  return %v : f32
}

// -----

func.func @strided_copy(%x: memref<4xf32, strided<[2]>>, %y: memref<4xf32>) {
  // expected-error @below {{'memref.copy' op cannot run on the host: the memory is the GPU's; expected it in a kernel}}
  memref.copy %x, %y : memref<4xf32, strided<[2]>> to memref<4xf32>
  return
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @scale(%x: memref<4xf32>) kernel {
      gpu.return
    }
  }
  func.func @too_early(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    // expected-error @below {{expected a gpu.binary @kernels: run gpu-module-to-binary before this pass}}
    // expected-error @below {{failed to legalize}}
    gpu.launch_func @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
        args(%x : memref<4xf32>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "PTX">]
  func.func @asynchronous(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    // expected-error @below {{expected no async tokens: every launch goes to the stream of the call}}
    // expected-error @below {{failed to legalize}}
    %t = gpu.launch_func async @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
        args(%x : memref<4xf32>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.binary @kernels [#gpu.object<#nvvm.target, offload = "bitcode">]
  func.func @bitcode(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    // expected-error @below {{expected gpu.binary @kernels to hold one object, PTX (format=isa) or a cubin (format=bin)}}
    // expected-error @below {{failed to legalize}}
    gpu.launch_func @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
        args(%x : memref<4xf32>)
    return
  }
}
