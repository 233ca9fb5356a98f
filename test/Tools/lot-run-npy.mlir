// REQUIRES: lot-run, numpy
// What NumPy writes is read, anything else refused with the name of the file.
// RUN: rm -rf %t && mkdir -p %t
func.func @id(%x: tensor<?x?xf32>) -> tensor<?x?xf32> { return %x : tensor<?x?xf32> }

// The versions of the format.
// RUN: %npy "x = arange(6, dtype='f4').reshape(2, 3); save('%t/x.npy', x); [np.lib.format.write_array(open(f'%t/v{v}.npy', 'wb'), x, version=(v, 0)) for v in (1, 2, 3)]"
// RUN: lot-run %s --entry=id --input=%t/v1.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy
// RUN: lot-run %s --entry=id --input=%t/v2.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy
// RUN: lot-run %s --entry=id --input=%t/v3.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy

// Fortran order, big-endian, both; an empty one of them.
// RUN: %npy "x = load('%t/x.npy'); save('%t/f.npy', asfortranarray(x)); save('%t/b.npy', x.astype('>f4')); save('%t/fb.npy', asfortranarray(x.astype('>f4'))); save('%t/f0.npy', zeros((0, 3), 'f4', order='F'))"
// RUN: lot-run %s --entry=id --input=%t/f.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy
// RUN: lot-run %s --entry=id --input=%t/b.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy
// RUN: lot-run %s --entry=id --input=%t/fb.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy
// RUN: lot-run %s --entry=id --input=%t/f0.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), zeros((0, 3), 'f4'))"

// Rank 3 in Fortran order, ranks 0 and 1.
func.func @id3(%x: tensor<2x3x4xf64>) -> tensor<2x3x4xf64> { return %x : tensor<2x3x4xf64> }
func.func @id0(%x: tensor<f64>, %y: tensor<?xi16>) -> (tensor<f64>, tensor<?xi16>) { return %x, %y : tensor<f64>, tensor<?xi16> }
// RUN: %npy "x = arange(24.0).reshape(2, 3, 4); save('%t/x3.npy', x); save('%t/f3.npy', asfortranarray(x)); save('%t/x0.npy', float64(7)); save('%t/x1.npy', arange(5, dtype='>i2'))"
// RUN: lot-run %s --entry=id3 --input=%t/f3.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x3.npy
// RUN: lot-run %s --entry=id0 --input=%t/x0.npy --input=%t/x1.npy --output=%t/r0.npy --output=%t/r1.npy
// RUN: cmp %t/r0.npy %t/x0.npy
// RUN: %npy "expect(load('%t/r1.npy'), arange(5, dtype='i2'))"

// A header of another writer: other order, spaces and quotes.
// RUN: %npy "header('%t/h.npy', 2, '\x22<f4\x22', 'False  ', '( 2 ,3 , )', load('%t/x.npy').tobytes())"
// RUN: lot-run %s --entry=id --input=%t/h.npy --output=%t/r.npy
// RUN: cmp %t/r.npy %t/x.npy

// Everything that is wrong.
// RUN: rm %t/r.npy
// RUN: %npy "b = open('%t/x.npy', 'rb').read(); [open(f'%t/{n}.npy', 'wb').write(d) for n, d in dict(short=b[:-1], cut=b[:40], magic=b[:7], long=b + b'1', empty=b'', text=b'not an array', garbage=b[:10] + b'xyz' * 100, v9=b[:6] + bytes([9]) + b[7:]).items()]"
// RUN: %npy "save('%t/object.npy', array([[1, 'a'], [None, 2]], dtype=object), allow_pickle=True); save('%t/struct.npy', zeros((2, 3), [('a', 'f4')])); save('%t/complex.npy', zeros((2, 3), 'c8')); save('%t/text2.npy', array([['a', 'b']])); save('%t/time.npy', zeros((2, 3), 'M8[s]'))"
// RUN: %npy "d = bytes(24); header('%t/neg.npy', 1, repr('<f4'), 'False', '(-2, 3)', d); header('%t/huge.npy', 1, repr('<f4'), 'False', '(4294967296, 4294967296)', d); header('%t/keys.npy', 1, repr('<f4'), 'False', '(2, 3)', d, repr('more') + ': 1'); header('%t/order.npy', 1, repr('<f4'), 'Maybe', '(2, 3)', d); header('%t/shape.npy', 1, repr('<f4'), 'False', '[2, 3]', d)"
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/missing.npy 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t 2>&1 | FileCheck %s --check-prefix=FOLDER
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/short.npy 2>&1 | FileCheck %s --check-prefix=SHORT
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/cut.npy 2>&1 | FileCheck %s --check-prefix=CUT
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/magic.npy 2>&1 | FileCheck %s --check-prefix=CUT
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/long.npy 2>&1 | FileCheck %s --check-prefix=LONG
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/empty.npy 2>&1 | FileCheck %s --check-prefix=MAGIC
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/text.npy 2>&1 | FileCheck %s --check-prefix=MAGIC
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/garbage.npy 2>&1 | FileCheck %s --check-prefix=GARBAGE
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/v9.npy 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/object.npy 2>&1 | FileCheck %s --check-prefix=OBJECT
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/struct.npy 2>&1 | FileCheck %s --check-prefix=STRUCT
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/complex.npy 2>&1 | FileCheck %s --check-prefix=COMPLEX
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/text2.npy 2>&1 | FileCheck %s --check-prefix=TEXT
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/time.npy 2>&1 | FileCheck %s --check-prefix=DATE
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/neg.npy 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/shape.npy 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/huge.npy 2>&1 | FileCheck %s --check-prefix=HUGE
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/keys.npy 2>&1 | FileCheck %s --check-prefix=KEYS
// RUN: not lot-run %s --entry=id --output=%t/r.npy --input=%t/order.npy 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not ls %t/r.npy

// MISSING: lot-run: error: '{{.*}}missing.npy': cannot read: No such file or directory
// FOLDER:  lot-run: error: '{{.*}}': expected a .npy file, got a folder
// SHORT:   lot-run: error: '{{.*}}short.npy': truncated: expected 24 bytes of data for shape 2x3, got 23
// CUT:     lot-run: error: '{{.*}}.npy': truncated in the header
// LONG:    lot-run: error: '{{.*}}long.npy': expected 24 bytes of data for shape 2x3, got 25
// MAGIC:   lot-run: error: '{{.*}}.npy': expected a .npy file, the first bytes are not \x93NUMPY
// GARBAGE: lot-run: error: '{{.*}}garbage.npy': expected a Python dict as header
// VERSION: lot-run: error: '{{.*}}v9.npy': expected .npy version 1, 2 or 3, got version 9
// OBJECT:  lot-run: error: '{{.*}}object.npy': expected an array of numbers, got dtype object ('|O')
// STRUCT:  lot-run: error: '{{.*}}struct.npy': expected an array of numbers, got a structured dtype
// COMPLEX: lot-run: error: '{{.*}}complex.npy': expected a dtype of float16, float32, float64, bfloat16, bool or an integer, got '<c8'
// TEXT:    lot-run: error: '{{.*}}text2.npy': expected a dtype of {{.*}}, got '<U1'
// DATE:    lot-run: error: '{{.*}}time.npy': expected a dtype of {{.*}}, got '<M8[s]'
// SHAPE:   lot-run: error: '{{.*}}.npy': expected the shape as a tuple of sizes
// HUGE:    lot-run: error: '{{.*}}huge.npy': expected fewer than 2^63 bytes, got shape 4294967296x4294967296
// KEYS:    lot-run: error: '{{.*}}keys.npy': unexpected key 'more' in the header
// ORDER:   lot-run: error: '{{.*}}order.npy': expected fortran_order to be True or False
