/* SPDX-License-Identifier: Apache-2.0 */
/* Every HCCL operation between processes. A launcher starts the program once per rank, as
     collectives_processes RANK SIZE FILE
   or with rank and size in the environment, as mpirun and torchrun set them, and FILE in ROOT_INFO_FILE.
   Rank 0 writes the root info to FILE, which must not exist before. */
#include <time.h>
#include <unistd.h>

#include "collectives.h"

static const char *either(const char *first, const char *second, const char *third) {
  const char *value = getenv(first);
  if (value == NULL) value = getenv(second);
  return value != NULL ? value : getenv(third);
}

static void write_root(const char *file, const HcclRootInfo *root) {
  char fresh[4096];
  FILE *out;
  REQUIRE(snprintf(fresh, sizeof(fresh), "%s.new", file) < (int)sizeof(fresh), file);
  out = fopen(fresh, "wb");
  REQUIRE(out != NULL, fresh);
  REQUIRE(fwrite(root, sizeof(*root), 1, out) == 1, fresh);
  REQUIRE(fclose(out) == 0, fresh);
  REQUIRE(rename(fresh, file) == 0, file);
}

static void read_root(const char *file, HcclRootInfo *root) {
  const time_t start = time(NULL);
  FILE *in;
  while ((in = fopen(file, "rb")) == NULL) {
    REQUIRE(time(NULL) - start < 120, "rank 0 has written no root info for two minutes");
    usleep(10000);
  }
  REQUIRE(fread(root, sizeof(*root), 1, in) == 1, file);
  fclose(in);
}

int main(int argc, char **argv) {
  const char *rank_text = argc > 3 ? argv[1] : either("OMPI_COMM_WORLD_RANK", "PMI_RANK", "RANK");
  const char *size_text =
      argc > 3 ? argv[2] : either("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "WORLD_SIZE");
  const char *file = argc > 3 ? argv[3] : getenv("ROOT_INFO_FILE");
  const char *local = either("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "LOCAL_RANK");
  HcclRootInfo root;
  uint32_t devices = 0;
  int32_t device;
  member m = {NULL, 0, 0, NULL};

  if (rank_text == NULL || size_text == NULL || file == NULL) {
    fprintf(stderr, "usage: %s RANK SIZE FILE, or both in the environment and ROOT_INFO_FILE\n",
            argv[0]);
    return 2;
  }
  m.rank = (uint32_t)strtoul(rank_text, NULL, 10);
  m.size = (uint32_t)strtoul(size_text, NULL, 10);
  TRY(aclInit(NULL));
  TRY(aclrtGetDeviceCount(&devices));
  REQUIRE(devices > 0, "no device");
  device = (int32_t)(local != NULL && argc <= 3 ? strtoul(local, NULL, 10) : m.rank % devices);
  TRY(aclrtSetDevice(device));
  TRY(aclrtCreateStream(&m.stream));
  if (m.rank == 0) {
    HCCL_TRY(HcclGetRootInfo(&root));
    write_root(file, &root);
  } else {
    read_root(file, &root);
  }
  HCCL_TRY(HcclCommInitRootInfo(m.size, &root, m.rank, &m.comm));
  all_operations(&m);
  sub_communicator(&m);
  all_operations(&m);
  HCCL_TRY(HcclCommDestroy(m.comm));
  TRY(aclrtDestroyStream(m.stream));
  TRY(aclrtResetDevice(device));
  TRY(aclFinalize());
  printf("rank %u of %u on device %d: all collectives right\n", m.rank, m.size, (int)device);
  return 0;
}
