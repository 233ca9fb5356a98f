// RUN: lot-opt --help | FileCheck %s
// The passes and pipelines of the project are known to lot-opt by name.
// CHECK-DAG: --lot-decompose-attention
// CHECK-DAG: --lot-to-linalg
// CHECK-DAG: --lot-to-cpu
