// REQUIRES: lot-run, numpy
// Every element type goes in and comes out bit by bit.
// RUN: rm -rf %t && mkdir -p %t
// RUN: %npy "[save(f'%t/{d}.npy', array([[1, 0, 3], [100, 5, 0]]).astype(d)) for d in 'f2 f4 f8 b1 i1 i2 i4 i8 u1 u2 u4 u8'.split()]; save('%t/bf16.npy', array([[1.5, -0.0, 3], [2e38, nan, inf]]).astype(bfloat16))"

// RUN: lot-run %s --entry=f16 --input=%t/f2.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/f2.npy'))"
func.func @f16(%x: tensor<?x3xf16>) -> tensor<?x3xf16> { return %x : tensor<?x3xf16> }

// RUN: lot-run %s --entry=f32 --input=%t/f4.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/f4.npy'))"
func.func @f32(%x: tensor<?x3xf32>) -> tensor<?x3xf32> { return %x : tensor<?x3xf32> }

// RUN: lot-run %s --entry=f64 --input=%t/f8.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/f8.npy'))"
func.func @f64(%x: tensor<?x3xf64>) -> tensor<?x3xf64> { return %x : tensor<?x3xf64> }

// bfloat16: two bytes without a name, as ml_dtypes has them saved.
// RUN: lot-run %s --entry=bf16 --input=%t/bf16.npy --output=%t/r.npy | FileCheck %s
// CHECK: argument #0: 2x3 bf16
// RUN: cmp %t/r.npy %t/bf16.npy
// RUN: %npy "header('%t/named.npy', 1, repr('bfloat16'), 'False', '(2, 3)', load('%t/bf16.npy').tobytes())"
// RUN: lot-run %s --entry=bf16 --input=%t/named.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/bf16.npy
func.func @bf16(%x: tensor<?x3xbf16>) -> tensor<?x3xbf16> { return %x : tensor<?x3xbf16> }

// RUN: lot-run %s --entry=i1 --input=%t/b1.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/b1.npy'))"
func.func @i1(%x: tensor<?x3xi1>) -> tensor<?x3xi1> { return %x : tensor<?x3xi1> }

// Unsigned integers are taken for MLIR's signless ones; results are signed.
// RUN: lot-run %s --entry=i8 --input=%t/i1.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i1.npy'))"
// RUN: lot-run %s --entry=i8 --input=%t/u1.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i1.npy'))"
func.func @i8(%x: tensor<?x3xi8>) -> tensor<?x3xi8> { return %x : tensor<?x3xi8> }

// RUN: lot-run %s --entry=i16 --input=%t/i2.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i2.npy'))"
// RUN: lot-run %s --entry=i16 --input=%t/u2.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i2.npy'))"
func.func @i16(%x: tensor<?x3xi16>) -> tensor<?x3xi16> { return %x : tensor<?x3xi16> }

// RUN: lot-run %s --entry=i32 --input=%t/i4.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i4.npy'))"
// RUN: lot-run %s --entry=i32 --input=%t/u4.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i4.npy'))"
func.func @i32(%x: tensor<?x3xi32>) -> tensor<?x3xi32> { return %x : tensor<?x3xi32> }

// RUN: lot-run %s --entry=i64 --input=%t/i8.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i8.npy'))"
// RUN: lot-run %s --entry=i64 --input=%t/u8.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i8.npy'))"
func.func @i64(%x: tensor<?x3xi64>) -> tensor<?x3xi64> { return %x : tensor<?x3xi64> }

// RUN: lot-run %s --entry=index --input=%t/i8.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), load('%t/i8.npy'))"
func.func @index(%x: tensor<?x3xindex>) -> tensor<?x3xindex> { return %x : tensor<?x3xindex> }

// Numbers of 16 bits, by value.
// RUN: %npy "save('%t/h.npy', float16(1.25)); save('%t/bh.npy', array(1.25).astype(bfloat16)); save('%t/yes.npy', bool_(True))"
// RUN: lot-run %s --entry=numbers --input=%t/h.npy --input=%t/bh.npy --input=%t/yes.npy --output=%t/r0.npy --output=%t/r1.npy --output=%t/r2.npy
// RUN: %npy "expect(load('%t/r0.npy'), float16(1.25)); expect(load('%t/r2.npy'), bool_(True))"
// RUN: cmp %t/bh.npy %t/r1.npy
func.func @numbers(%x: f16, %y: bf16, %z: i1) -> (f16, bf16, i1) { return %x, %y, %z : f16, bf16, i1 }
