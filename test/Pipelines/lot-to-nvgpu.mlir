// The examples and a bf16 head compile to PTX in host code, without a GPU.
// RUN: lot-opt %S/../../examples/attention.mlir --lot-to-nvgpu | FileCheck %s --check-prefix=HOST
// RUN: lot-opt %S/../../examples/photo.mlir --lot-to-nvgpu | FileCheck %s --check-prefix=HOST
// RUN: lot-opt %s --lot-to-nvgpu | FileCheck %s
// RUN: lot-opt %s --lot-to-nvgpu=chip=sm_80 | FileCheck %s --check-prefix=SM80

// HOST-DAG: llvm.mlir.global internal constant @[[MODULE:lot_attention.*]]_image("
// HOST-DAG: .entry sweep(
// HOST: llvm.call @lotCudaLaunch(
// HOST-NOT: lot.attention

// One kernel for both sides: tensor cores, a cluster's shared memory,
// transaction barriers.
// CHECK: .target sm_90a
// CHECK: .entry resident(
// CHECK: .maxntid 512
// CHECK: cp.async
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: fma.rn.f16x2
// CHECK: movmatrix
// CHECK: ex2.approx.ftz.f32
// CHECK: mapa.shared::cluster
// CHECK: st.async
// CHECK: mbarrier.try_wait
// CHECK: st.global.v4

// SM80: .target sm_80
// SM80-NOT: resident
// SM80-NOT: mapa
// SM80: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
func.func @head(%q: tensor<1x8x?x64xbf16>, %z: tensor<8x32x64xbf16>, %init: tensor<1x8x?x64xbf16>) -> tensor<1x8x?x64xbf16> {
  %o = lot.attention {half_steps = 10 : i64}
    ins(%q, %q, %q, %z : tensor<1x8x?x64xbf16>, tensor<1x8x?x64xbf16>, tensor<1x8x?x64xbf16>, tensor<8x32x64xbf16>)
    outs(%init : tensor<1x8x?x64xbf16>) -> tensor<1x8x?x64xbf16>
  return %o : tensor<1x8x?x64xbf16>
}
