/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a function that CANN 8.1 does not have, if it is asked to. */
#include <stdio.h>

#include "acl/acl.h"

int main(int argc, char **argv) {
  uint64_t left = 7;
  aclError code;
  (void)argv;
  if (aclInit(NULL) != ACL_SUCCESS) {
    return 1;
  }
  printf("initialised\n");
  fflush(stdout);
  if (argc > 1) {
    code = aclFinalizeReference(&left);
    printf("code %d, %d left\n", code, (int)left);
  }
  return 0;
}
