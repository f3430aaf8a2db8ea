/* SPDX-License-Identifier: Apache-2.0 */
/* Times HCCL's operations with the method and the columns of nccl-tests.

     bandwidth [-g RANKS | -p RANKS] [-b SIZE] [-e SIZE] [-f FACTOR] [-n ITERATIONS] [-w WARMUP] [-c 0|1] [OPERATION...]

   Ranks are threads (-g, by default one per device) or processes that the program starts itself (-p). Compiled with
   mpicc -DUSE_MPI they are the ranks of mpirun. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef USE_MPI
#include <mpi.h>
#endif

#include "collectives.h"

static uint64_t min_bytes = 1024, max_bytes = 1 << 22;
static unsigned step = 4, iterations = 20, warmup = 5, checking = 1;
static uint32_t ranks = 0;
static int as_processes = 0;

/* ---- what ranks tell each other beside HCCL ---- */

#ifndef USE_MPI
typedef struct {
  pthread_barrier_t barrier;
  HcclRootInfo root;
  double numbers[MAX_RANKS];
} board;

static board *shared;
#endif

static void meet(void) {
#ifdef USE_MPI
  MPI_Barrier(MPI_COMM_WORLD);
#else
  pthread_barrier_wait(&shared->barrier);
#endif
}

static double sum_of_ranks(const member *m, double number) {
  double sum = 0;
#ifdef USE_MPI
  (void)m;
  MPI_Allreduce(&number, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
#else
  uint32_t r;
  shared->numbers[m->rank] = number;
  meet();
  for (r = 0; r < m->size; ++r) sum += shared->numbers[r];
  meet();
#endif
  return sum;
}

static void share_root(const member *m, HcclRootInfo *root) {
  if (m->rank == 0) HCCL_TRY(HcclGetRootInfo(root));
#ifdef USE_MPI
  MPI_Bcast(root, sizeof(*root), MPI_BYTE, 0, MPI_COMM_WORLD);
#else
  if (m->rank == 0) shared->root = *root;
  meet();
  *root = shared->root;
#endif
}

/* ---- operations; count is what the call is given ---- */

typedef struct {
  const char *name;
  const char *reduction;
  int root;            /* printed; -1 where there is none */
  int shares;          /* the size is that of all ranks' parts, of which the call is given one */
  double (*factor)(double n);
  HcclResult (*run)(const member *m, char *from, char *to, uint64_t count);
  uint64_t (*sent)(const member *m, uint64_t count);
  uint64_t (*received)(const member *m, uint64_t count);
  float (*expected)(const member *m, uint64_t count, uint64_t i);
  int in_place;        /* 0 never, 1 possible, 2 only so */
} operation;

#define FP32 HCCL_DATA_TYPE_FP32

static double whole(double n) { return n > 0 ? 1 : 0; }
static double part(double n) { return (n - 1) / n; }
static double both_ways(double n) { return 2 * (n - 1) / n; }

static uint64_t one(const member *m, uint64_t count) {
  (void)m;
  return count;
}
static uint64_t all(const member *m, uint64_t count) { return m->size * count; }
static uint64_t at_root(const member *m, uint64_t count) { return m->rank == 0 ? count : 0; }
static uint64_t all_at_root(const member *m, uint64_t count) {
  return m->rank == 0 ? m->size * count : 0;
}

static HcclResult all_reduce(const member *m, char *from, char *to, uint64_t count) {
  return HcclAllReduce(from, to, count, FP32, HCCL_REDUCE_SUM, m->comm, m->stream);
}
static HcclResult all_gather(const member *m, char *from, char *to, uint64_t count) {
  return HcclAllGather(from, to, count, FP32, m->comm, m->stream);
}
static HcclResult reduce_scatter(const member *m, char *from, char *to, uint64_t count) {
  return HcclReduceScatter(from, to, count, FP32, HCCL_REDUCE_SUM, m->comm, m->stream);
}
static HcclResult alltoall(const member *m, char *from, char *to, uint64_t count) {
  return HcclAlltoAll(from, count, FP32, to, count, FP32, m->comm, m->stream);
}
static HcclResult broadcast(const member *m, char *from, char *to, uint64_t count) {
  (void)from;
  return HcclBroadcast(to, count, FP32, 0, m->comm, m->stream);
}
static HcclResult reduce(const member *m, char *from, char *to, uint64_t count) {
  return HcclReduce(from, to, count, FP32, HCCL_REDUCE_SUM, 0, m->comm, m->stream);
}
static HcclResult scatter(const member *m, char *from, char *to, uint64_t count) {
  return HcclScatter(from, to, count, FP32, 0, m->comm, m->stream);
}
static HcclResult sendrecv(const member *m, char *from, char *to, uint64_t count) {
  HcclSendRecvItem items[2];
  memset(items, 0, sizeof(items));
  items[0].sendRecvType = HCCL_SEND;
  items[0].buf = from;
  items[0].remoteRank = (m->rank + 1) % m->size;
  items[1].sendRecvType = HCCL_RECV;
  items[1].buf = to;
  items[1].remoteRank = (m->rank + m->size - 1) % m->size;
  items[0].count = items[1].count = count;
  items[0].dataType = items[1].dataType = FP32;
  return HcclBatchSendRecv(items, 2, m->comm, m->stream);
}

static float of_sum(const member *m, uint64_t count, uint64_t i) {
  (void)count;
  return reduced(m->size, i, HCCL_REDUCE_SUM);
}
static float of_gather(const member *m, uint64_t count, uint64_t i) {
  (void)m;
  return element(i / count, i % count);
}
static float of_reduce_scatter(const member *m, uint64_t count, uint64_t i) {
  return reduced(m->size, m->rank * count + i, HCCL_REDUCE_SUM);
}
static float of_alltoall(const member *m, uint64_t count, uint64_t i) {
  return element(i / count, m->rank * count + i % count);
}
static float of_broadcast(const member *m, uint64_t count, uint64_t i) {
  (void)m;
  (void)count;
  return element(0, i);
}
static float of_scatter(const member *m, uint64_t count, uint64_t i) {
  return element(0, m->rank * count + i);
}
static float of_sendrecv(const member *m, uint64_t count, uint64_t i) {
  (void)count;
  return element((m->rank + m->size - 1) % m->size, i);
}

static const operation operations[] = {
    {"all_reduce", "sum", -1, 0, both_ways, all_reduce, one, one, of_sum, 1},
    {"all_gather", "none", -1, 1, part, all_gather, one, all, of_gather, 1},
    {"reduce_scatter", "sum", -1, 1, part, reduce_scatter, all, one, of_reduce_scatter, 1},
    {"alltoall", "none", -1, 1, part, alltoall, all, all, of_alltoall, 0},
    {"broadcast", "none", 0, 0, whole, broadcast, one, one, of_broadcast, 2},
    {"reduce", "sum", 0, 0, whole, reduce, one, at_root, of_sum, 1},
    {"scatter", "none", 0, 1, part, scatter, all_at_root, one, of_scatter, 1},
    {"sendrecv", "none", -1, 0, whole, sendrecv, one, one, of_sendrecv, 0},
};
enum { OPERATIONS = sizeof(operations) / sizeof(*operations) };

/* ---- measurement ---- */

typedef struct {
  char *from;
  char *to;
  size_t bytes; /* of each buffer */
} buffers;

/* In place a part lies where it belongs in the whole. */
static void place(const operation *op, const member *m, const buffers *b, uint64_t count,
                  int in_place, char **from, char **to) {
  *from = b->from;
  *to = in_place ? b->from : b->to;
  if (!in_place || !op->shares) return;
  if (op->received(m, 1) > op->sent(m, 1)) {
    *from += m->rank * count * sizeof(float);
  } else if (op->run != scatter || m->rank == 0) {
    *to += m->rank * count * sizeof(float);
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Elements that differ from what the operation should leave, on all ranks together. */
static uint64_t wrong_elements(const operation *op, const member *m, const buffers *b,
                               uint64_t count, int in_place) {
  const uint64_t sent = op->sent(m, count), received = op->received(m, count);
  float *values = elements(m->rank, sent > received ? sent : received);
  uint64_t wrong = 0, i;
  char *from, *to;
  place(op, m, b, count, in_place, &from, &to);
  TRY(aclrtMemset(b->from, b->bytes, 0xff, b->bytes));
  TRY(aclrtMemset(b->to, b->bytes, 0xff, b->bytes));
  if (sent > 0) to_device(from, values, sent * sizeof(float));
  meet();
  HCCL_TRY(op->run(m, from, to, count));
  TRY(aclrtSynchronizeStream(m->stream));
  if (received > 0) to_host(values, to, received * sizeof(float));
  for (i = 0; i < received; ++i) wrong += values[i] != op->expected(m, count, i);
  free(values);
  return (uint64_t)sum_of_ranks(m, (double)wrong);
}

static double seconds(const operation *op, const member *m, const buffers *b, uint64_t count,
                      int in_place, unsigned times) {
  double start;
  unsigned i;
  char *from, *to;
  place(op, m, b, count, in_place, &from, &to);
  TRY(aclrtSynchronizeStream(m->stream));
  meet();
  start = now();
  for (i = 0; i < times; ++i) HCCL_TRY(op->run(m, from, to, count));
  TRY(aclrtSynchronizeStream(m->stream));
  return sum_of_ranks(m, (now() - start) / times) / m->size;
}

typedef struct {
  double bus;
  unsigned measured;
  uint64_t wrong;
} totals;

static void measure(const operation *op, const member *m, const buffers *b, uint64_t bytes,
                    totals *t) {
  uint64_t count = bytes / sizeof(float);
  uint64_t size;
  int in_place;
  if (op->shares) count = count / m->size & ~(uint64_t)3;
  size = count * (op->shares ? m->size : 1) * sizeof(float);
  if (m->rank == 0) {
    printf("%12llu %12llu %9s %7s %5d", (unsigned long long)size, (unsigned long long)count,
           "float", op->reduction, op->root);
  }
  for (in_place = 0; in_place < 2; ++in_place) {
    const int possible = op->in_place == 1 || (op->in_place == 2) == in_place;
    double time, bus;
    if (!possible || count == 0) {
      if (m->rank == 0) printf(" %9s %7s %7s %6s", "N/A", "N/A", "N/A", "N/A");
      continue;
    }
    time = seconds(op, m, b, count, in_place, iterations);
    bus = (double)size / time * 1e-9 * op->factor(m->size);
    t->bus += bus;
    t->measured += 1;
    if (checking) {
      const uint64_t wrong = wrong_elements(op, m, b, count, in_place);
      t->wrong += wrong;
      if (m->rank == 0) {
        printf(" %9.2f %7.2f %7.2f %6llu", time * 1e6, (double)size / time * 1e-9, bus,
               (unsigned long long)wrong);
      }
    } else if (m->rank == 0) {
      printf(" %9.2f %7.2f %7.2f %6s", time * 1e6, (double)size / time * 1e-9, bus, "N/A");
    }
  }
  if (m->rank == 0) {
    printf("\n");
    fflush(stdout);
  }
}

static char **chosen;
static int chosen_count;

static int wanted(const operation *op) {
  int i;
  for (i = 0; i < chosen_count; ++i) {
    if (strcmp(chosen[i], op->name) == 0) return 1;
  }
  return chosen_count == 0;
}

static int run_rank(uint32_t rank, int32_t device) {
  HcclRootInfo root;
  member m = {NULL, rank, ranks, NULL};
  buffers b = {NULL, NULL, max_bytes + ranks * 16};
  totals t = {0, 0, 0};
  int o;
  TRY(aclrtSetDevice(device));
  TRY(aclrtCreateStream(&m.stream));
  share_root(&m, &root);
  HCCL_TRY(HcclCommInitRootInfo(ranks, &root, rank, &m.comm));
  b.from = (char *)device_memory(b.bytes);
  b.to = (char *)device_memory(b.bytes);
  for (o = 0; o < OPERATIONS; ++o) {
    const operation *op = &operations[o];
    uint64_t bytes;
    if (!wanted(op)) continue;
    if (rank == 0) {
      printf("# %s\n# %46s %30s %31s\n", op->name, "", "out-of-place", "in-place");
      printf("# %10s %12s %9s %7s %5s %9s %7s %7s %6s %9s %7s %7s %6s\n", "size", "count", "type",
             "redop", "root", "time", "algbw", "busbw", "#wrong", "time", "algbw", "busbw",
             "#wrong");
      printf("# %10s %12s %9s %7s %5s %9s %7s %7s %6s %9s %7s %7s %6s\n", "(B)", "(elements)", "",
             "", "", "(us)", "(GB/s)", "(GB/s)", "", "(us)", "(GB/s)", "(GB/s)", "");
    }
    if (warmup > 0) { /* the largest size, then the smallest */
      const uint64_t share = op->shares ? ranks : 1;
      seconds(op, &m, &b, max_bytes / share / 16 * 4, op->in_place == 2, warmup);
      seconds(op, &m, &b, min_bytes / share / 16 * 4, op->in_place == 2, warmup);
    }
    for (bytes = min_bytes; bytes <= max_bytes; bytes *= step) measure(op, &m, &b, bytes, &t);
  }
  if (rank == 0) {
    printf("# Out of bounds values : %llu %s\n", (unsigned long long)t.wrong,
           t.wrong == 0 ? "OK" : "FAILED");
    printf("# Avg bus bandwidth    : %g\n", t.measured == 0 ? 0 : t.bus / t.measured);
    fflush(stdout);
  }
  HCCL_TRY(HcclCommDestroy(m.comm));
  TRY(aclrtFree(b.from));
  TRY(aclrtFree(b.to));
  TRY(aclrtDestroyStream(m.stream));
  TRY(aclrtResetDevice(device));
  return t.wrong == 0 ? 0 : 1;
}

/* ---- ways to start ranks ---- */

static uint32_t device_count(void) {
  uint32_t count = 0;
  TRY(aclrtGetDeviceCount(&count));
  REQUIRE(count > 0, "no device");
  return count;
}

#ifdef USE_MPI

static int run_all(void) {
  int rank, size, local, result;
  MPI_Comm host;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host);
  MPI_Comm_rank(host, &local);
  MPI_Comm_free(&host);
  ranks = (uint32_t)size;
  TRY(aclInit(NULL));
  result = run_rank((uint32_t)rank, (int32_t)((uint32_t)local % device_count()));
  TRY(aclFinalize());
  return result;
}

#else

static void *thread_main(void *rank) {
  const uint32_t r = (uint32_t)(uintptr_t)rank;
  return (void *)(uintptr_t)run_rank(r, (int32_t)(r % device_count()));
}

static int run_threads(void) {
  pthread_t threads[MAX_RANKS];
  int result = 0;
  uint32_t r;
  for (r = 0; r < ranks; ++r) {
    REQUIRE(pthread_create(&threads[r], NULL, thread_main, (void *)(uintptr_t)r) == 0,
            "cannot start a thread");
  }
  for (r = 0; r < ranks; ++r) {
    void *code = NULL;
    pthread_join(threads[r], &code);
    result |= code != NULL;
  }
  return result;
}

static int run_process(uint32_t rank) {
  int result;
  TRY(aclInit(NULL));
  result = run_rank(rank, (int32_t)(rank % device_count()));
  TRY(aclFinalize());
  return result;
}

/* The parent starts the ranks before anything of the toolkit runs, and ends them all when one fails. */
static int run_processes(void) {
  pid_t children[MAX_RANKS];
  int result = 0;
  uint32_t r, ended;
  for (r = 0; r < ranks; ++r) {
    children[r] = fork();
    REQUIRE(children[r] >= 0, "cannot fork");
    if (children[r] == 0) exit(run_process(r));
  }
  for (ended = 0; ended < ranks; ++ended) {
    int status = 0;
    const pid_t child = wait(&status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    fprintf(stderr, "a rank ended with status %d\n", status);
    if (result == 0) {
      for (r = 0; r < ranks; ++r) {
        if (children[r] != child) kill(children[r], SIGTERM);
      }
    }
    result = 1;
  }
  return result;
}

static int run_all(void) {
  pthread_barrierattr_t attributes;
  int result;
  REQUIRE(!as_processes || ranks > 0, "-p wants a number of ranks");
  if (!as_processes) {
    TRY(aclInit(NULL));
    if (ranks == 0) ranks = device_count() < 8 ? device_count() : 8;
  }
  REQUIRE(ranks <= MAX_RANKS, "too many ranks");
  shared = (board *)mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
  REQUIRE(shared != MAP_FAILED, "no shared memory");
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->barrier, &attributes, ranks);
  result = as_processes ? run_processes() : run_threads();
  if (!as_processes) TRY(aclFinalize());
  return result;
}

#endif

static uint64_t bytes_of(const char *text) {
  char *end;
  const double number = strtod(text, &end);
  const double unit = *end == 'K' || *end == 'k' ? 1024.0
                      : *end == 'M' || *end == 'm' ? 1024.0 * 1024
                      : *end == 'G' || *end == 'g' ? 1024.0 * 1024 * 1024
                                                   : 1;
  return (uint64_t)(number * unit);
}

int main(int argc, char **argv) {
  int result, option;
#ifdef USE_MPI
  MPI_Init(&argc, &argv);
#endif
  while ((option = getopt(argc, argv, "g:p:b:e:f:n:w:c:")) != -1) {
    switch (option) {
      case 'p':
        as_processes = 1;
        ranks = (uint32_t)atoi(optarg);
        break;
      case 'g': ranks = (uint32_t)atoi(optarg); break;
      case 'b': min_bytes = bytes_of(optarg); break;
      case 'e': max_bytes = bytes_of(optarg); break;
      case 'f': step = (unsigned)atoi(optarg); break;
      case 'n': iterations = (unsigned)atoi(optarg); break;
      case 'w': warmup = (unsigned)atoi(optarg); break;
      case 'c': checking = (unsigned)atoi(optarg); break;
      default: return 2;
    }
  }
  chosen = argv + optind;
  chosen_count = argc - optind;
  if (min_bytes < 4 || max_bytes < min_bytes || step < 2 || iterations < 1) {
    fprintf(stderr, "%s: -b at least 4, -e not below -b, -f at least 2, -n at least 1\n", argv[0]);
    return 2;
  }
  result = run_all();
#ifdef USE_MPI
  MPI_Finalize();
#endif
  return result;
}
