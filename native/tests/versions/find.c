/* SPDX-License-Identifier: Apache-2.0 */
/* find LIBRARY NAME...: prints which of the names dlsym finds in the library. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  int i;
  void *library = argc < 2 ? NULL : dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  for (i = 2; i < argc; ++i) {
    if (dlsym(library, argv[i]) != NULL) {
      printf("%s\n", argv[i]);
    }
  }
  return 0;
}
