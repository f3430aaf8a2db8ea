/* SPDX-License-Identifier: Apache-2.0 */
/* Uses a function that CANN 8.1 does not have where it is there. */
#include <stdio.h>

#include "acl/acl.h"

extern aclError aclFinalizeReference(uint64_t *refCount) __attribute__((weak));

int main(void) {
  if (aclInit(NULL) != ACL_SUCCESS || aclFinalize() != ACL_SUCCESS) {
    return 1;
  }
  if (aclFinalizeReference == NULL) {
    printf("absent\n");
    return 0;
  }
  printf("present: %d\n", aclFinalizeReference(NULL));
  return 0;
}
