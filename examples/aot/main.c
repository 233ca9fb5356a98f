/* Calls the compiled attention.mlir and compares with the log-domain iteration on
   doubles; prints the largest error of each head. Nothing but the C library.

   How compiled functions are called: @name with llvm.emit_c_interface is
   _mlir_ciface_name. A memref is a pointer to a struct of the pointer that was
   allocated (the callee does not use it), the pointer to the data, the offset of
   the first element, the sizes and the strides, both in elements; the rank is
   the number of sizes. Results go to memrefs that the caller owns. The shapes
   that the IR fixes are not checked here: they are the caller's promise. What
   goes wrong at run time (sizes that differ, no memory for the workspace) is
   printed on stderr before abort(). With openmp=false no OpenMP runtime is
   linked. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>

enum { H = 2, N = 45, M = 70, D = 24, R = 6, T = 6 };
static const double kEpsilon = 0.5;

typedef struct {
  float *allocated, *aligned;
  int64_t offset, sizes[4], strides[4];
} Tensor4;
typedef struct {
  float *allocated, *aligned;
  int64_t offset, sizes[3], strides[3];
} Tensor3;
void _mlir_ciface_attention(Tensor4 *q, Tensor4 *k, Tensor4 *v, Tensor3 *z,
                            Tensor4 *o);

static float q[H][N][D], k[H][M][D], v[H][M][D], z[H][R][D], o[H][N][D];

static void fill(float *x, int count, unsigned seed) {
  for (int i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float)(seed >> 8) / (1 << 23) - 1.0f; /* [-1, 1) */
  }
}

static Tensor4 tensor(float *data, int64_t n) {
  Tensor4 t = {data, data, 0, {1, H, n, D}, {H * n * D, n * D, D, 1}};
  return t;
}

/* plan[i][j], whose first marginal is the tokens' where `tokens_first`. */
static void solve(int n, float (*x)[D], float (*pivots)[D], int tokens_first,
                  double (*plan)[R]) {
  double s[M][R], row[M] = {0}, column[R] = {0};
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < R; ++j) {
      double dot = 0;
      for (int c = 0; c < D; ++c)
        dot += (double)x[i][c] * pivots[j][c];
      s[i][j] = dot / sqrt(D) / kEpsilon;
    }
  for (int step = 0; step < T; ++step) {
    int tokens = (step % 2 == 0) == tokens_first;
    for (int a = 0; a < (tokens ? n : R); ++a) {
      double sum = 0;
      for (int b = 0; b < (tokens ? R : n); ++b)
        sum += tokens ? exp(s[a][b] + column[b]) : exp(s[b][a] + row[b]);
      *(tokens ? &row[a] : &column[a]) = -log(tokens ? n : R) - log(sum);
    }
  }
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < R; ++j)
      plan[i][j] = exp(s[i][j] + row[i] + column[j]);
}

static double compare(int h) {
  static double p1[N][R], p2[M][R];
  double error = 0;
  solve(N, q[h], z[h], 1, p1);
  solve(M, k[h], z[h], 0, p2);
  for (int i = 0; i < N; ++i)
    for (int c = 0; c < D; ++c) {
      double sum = 0;
      for (int j = 0; j < R; ++j) {
        double gathered = 0;
        for (int m = 0; m < M; ++m)
          gathered += p2[m][j] * v[h][m][c];
        sum += p1[i][j] * N * R * gathered;
      }
      double difference = fabs(sum - o[h][i][c]);
      if (!(difference <= error)) /* a NaN stays */
        error = difference;
    }
  return error;
}

int main(void) {
  fill(&q[0][0][0], H * N * D, 1);
  fill(&k[0][0][0], H * M * D, 2);
  fill(&v[0][0][0], H * M * D, 3);
  fill(&z[0][0][0], H * R * D, 4);
  Tensor4 tq = tensor(&q[0][0][0], N), tk = tensor(&k[0][0][0], M),
          tv = tensor(&v[0][0][0], M), to = tensor(&o[0][0][0], N);
  Tensor3 tz = {&z[0][0][0], &z[0][0][0], 0, {H, R, D}, {R * D, D, 1}};
  _mlir_ciface_attention(&tq, &tk, &tv, &tz, &to);
  int wrong = 0;
  for (int h = 0; h < H; ++h) {
    double error = compare(h);
    wrong += !(error < 1e-5);
    printf("head %d: %s (%.1e)\n", h, error < 1e-5 ? "right" : "wrong", error);
  }
  return wrong;
}
