// REQUIRES: lot-run, numpy, terminal
// Long work in a terminal: a line that is renewed and in the end taken away.
// RUN: rm -rf %t && mkdir -p %t
// RUN: %npy "save('%t/n.npy', int64(40000000)); save('%t/forever.npy', int64(2**62))"
// RUN: %python %S/Inputs/in_terminal.py lot-run %s --entry=work --input=%t/n.npy --output=%t/r.npy --time | FileCheck %s
// CHECK: compiled in
// CHECK: time: min
// CHECK: '{{.*}}\r\x1b[Klot-run: run {{[0-9]+}} ... {{[0-9.]+}} s\r\x1b[K'

// No terminal, no line.
// RUN: lot-run %s --entry=work --input=%t/n.npy --output=%t/r.npy --time 2>&1 | FileCheck %s --check-prefix=QUIET
// QUIET-NOT: ...

// Terminated, it leaves nothing behind.
// RUN: rm %t/r.npy && ls -A %t > %t.before
// RUN: not %python %S/Inputs/in_terminal.py --terminate lot-run %s --entry=work --input=%t/forever.npy --output=%t/r.npy
// RUN: ls -A %t | diff - %t.before

func.func @work(%n: index) -> f64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = arith.constant 1.0 : f64
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> f64 {
    %b = math.sqrt %a : f64
    %c = arith.addf %b, %x : f64
    scf.yield %c : f64
  }
  return %r : f64
}
