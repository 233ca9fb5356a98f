/* Attention and its gradients with the tokens split over the processes of an
   MPI job, compared with one process that has all of them; counts what is
   exchanged. From the folder of this file:

     lot-opt attention.mlir --pass-pipeline='builtin.module(func.func(sharding-propagation,shard-partition),lot-shard-to-mpi,lot-to-cpu{openmp=false})' \
       | mlir-translate --mlir-to-llvmir | clang -O2 -x ir -c - -o attention.o
     lot-opt whole.mlir --lot-to-cpu=openmp=false \
       | mlir-translate --mlir-to-llvmir | clang -O2 -x ir -c - -o whole.o
     mpicc main.c attention.o whole.o -lm -o attention && mpiexec -n 2 ./attention 4096

   How compiled functions are called: examples/aot/main.c. Functions on tensors
   return their results as memrefs, first argument a pointer to where they go. */

#include <math.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { H = 2, D = 32, R = 16 };

typedef struct {
  float *allocated, *aligned;
  int64_t offset, sizes[4], strides[4];
} Tensor4;
typedef struct {
  float *allocated, *aligned;
  int64_t offset, sizes[3], strides[3];
} Tensor3;
typedef struct {
  Tensor4 q, k, v;
  Tensor3 z;
} Gradients;

void _mlir_ciface_forward(Tensor4 *result, Tensor4 *q, Tensor4 *k, Tensor4 *v,
                          Tensor3 *z, Tensor4 *init);
void _mlir_ciface_backward(Gradients *result, Tensor4 *output, Tensor4 *q,
                           Tensor4 *k, Tensor4 *v, Tensor3 *z, Tensor4 *dq,
                           Tensor4 *dk, Tensor4 *dv, Tensor3 *dz);
void _mlir_ciface_whole_forward(Tensor4 *q, Tensor4 *k, Tensor4 *v, Tensor3 *z,
                                Tensor4 *o);
void _mlir_ciface_whole_backward(Tensor4 *output, Tensor4 *q, Tensor4 *k,
                                 Tensor4 *v, Tensor3 *z, Tensor4 *dq,
                                 Tensor4 *dk, Tensor4 *dv, Tensor3 *dz);

/* MPI's profiling interface: what the compiled code calls comes by here. */
static long calls, bytes;
int MPI_Allreduce(const void *send, void *receive, int count, MPI_Datatype type,
                  MPI_Op op, MPI_Comm comm) {
  int size;
  MPI_Type_size(type, &size);
  ++calls;
  bytes += (long)count * size;
  return PMPI_Allreduce(send, receive, count, type, op, comm);
}

static float *make(int64_t count) {
  float *data = calloc(count ? count : 1, sizeof(float));
  if (!data) {
    fprintf(stderr, "no memory for %ld floats\n", (long)count);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  return data;
}

static void fill(float *x, int64_t count, unsigned seed) {
  for (int64_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float)(seed >> 8) / (1 << 23) - 1.0f; /* [-1, 1) */
  }
}

/* All tokens of [1, H, n, D], and a process's part of them as a copy. */
static Tensor4 tensor(float *data, int64_t n) {
  Tensor4 t = {data, data, 0, {1, H, n, D}, {H * n * D, n * D, D, 1}};
  return t;
}
static Tensor4 part(const float *all, int64_t n, int rank, int size) {
  int64_t local = n / size;
  float *data = make(H * local * D);
  for (int h = 0; all && h < H; ++h)
    memcpy(data + h * local * D, all + (h * n + rank * local) * D,
           local * D * sizeof(float));
  return tensor(data, local);
}

static void drop(float *result, const float *init) {
  if (result != init)
    free(result);
}

/* The largest difference over the largest value; a NaN stays. */
static void compare(const float *got, const float *expected, int64_t count,
                    double *difference, double *scale) {
  for (int64_t i = 0; i < count; ++i) {
    double d = fabs((double)got[i] - expected[i]), s = fabs((double)expected[i]);
    if (!(d <= *difference))
      *difference = d;
    if (!(s <= *scale))
      *scale = s;
  }
}
static double error4(Tensor4 got, const float *all, int64_t n, int rank) {
  double difference = 0, scale = 0;
  int64_t local = got.sizes[2];
  for (int h = 0; h < H; ++h)
    compare(got.aligned + got.offset + h * got.strides[1],
            all + (h * n + rank * local) * D, local * D, &difference, &scale);
  return difference / scale;
}

static int report(const char *what, double error, int64_t n, int rank) {
  double worst;
  int wrong = !(error < 2e-5), any;
  PMPI_Allreduce(&error, &worst, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  PMPI_Allreduce(&wrong, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  if (!rank)
    printf("n %ld %s: %s (%.1e), all-reduces per call: %ld, bytes: %ld\n",
           (long)n, what, any ? "wrong" : "right", worst, calls, bytes);
  return any;
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int64_t n = argc > 1 ? atol(argv[1]) : 4096;
  if (n < size || n % size) {
    if (!rank)
      fprintf(stderr, "expected a multiple of %d tokens, got %ld\n", size,
              (long)n);
    MPI_Finalize();
    return 2;
  }
  int64_t count = H * n * D;
  float *all[4], *whole[4], z[H * R * D], dz[H * R * D], dz_part[H * R * D];
  for (int i = 0; i < 4; ++i) {
    fill(all[i] = make(count), count, i + 1);
    whole[i] = make(count);
  }
  fill(z, H * R * D, 5);
  Tensor3 tz = {z, z, 0, {H, R, D}, {R * D, D, 1}}, tdz = tz, tdz_part = tz;
  tdz.allocated = tdz.aligned = dz;
  tdz_part.allocated = tdz_part.aligned = dz_part;
  Tensor4 q = part(all[0], n, rank, size), k = part(all[1], n, rank, size),
          v = part(all[2], n, rank, size), d = part(all[3], n, rank, size),
          init = part(NULL, n, rank, size), dq = part(NULL, n, rank, size),
          dk = part(NULL, n, rank, size), dv = part(NULL, n, rank, size);
  Tensor4 wq = tensor(all[0], n), wk = tensor(all[1], n), wv = tensor(all[2], n),
          wd = tensor(all[3], n), wo = tensor(whole[3], n),
          wdq = tensor(whole[0], n), wdk = tensor(whole[1], n),
          wdv = tensor(whole[2], n);

  /* The first call makes communicators: the second one counts. */
  Tensor4 o;
  for (int call = 0; call < 2; ++call) {
    calls = bytes = 0;
    _mlir_ciface_forward(&o, &q, &k, &v, &tz, &init);
    if (!call)
      drop(o.allocated, init.allocated);
  }
  _mlir_ciface_whole_forward(&wq, &wk, &wv, &tz, &wo);
  int wrong = report("forward", error4(o, whole[3], n, rank), n, rank);
  drop(o.allocated, init.allocated);

  Gradients g;
  calls = bytes = 0;
  _mlir_ciface_backward(&g, &d, &q, &k, &v, &tz, &dq, &dk, &dv, &tdz_part);
  _mlir_ciface_whole_backward(&wd, &wq, &wk, &wv, &tz, &wdq, &wdk, &wdv, &tdz);
  double error = 0, difference = 0, scale = 0;
  compare(g.z.aligned + g.z.offset, dz, H * R * D, &difference, &scale);
  double errors[] = {error4(g.q, whole[0], n, rank),
                     error4(g.k, whole[1], n, rank),
                     error4(g.v, whole[2], n, rank), difference / scale};
  for (int i = 0; i < 4; ++i)
    if (!(errors[i] <= error))
      error = errors[i];
  wrong |= report("backward", error, n, rank);
  drop(g.q.allocated, dq.allocated);
  drop(g.k.allocated, dk.allocated);
  drop(g.v.allocated, dv.allocated);
  drop(g.z.allocated, dz_part);

  Tensor4 *parts[] = {&q, &k, &v, &d, &init, &dq, &dk, &dv};
  for (int i = 0; i < 8; ++i)
    free(parts[i]->allocated);
  for (int i = 0; i < 4; ++i) {
    free(all[i]);
    free(whole[i]);
  }
  MPI_Finalize();
  return wrong;
}
