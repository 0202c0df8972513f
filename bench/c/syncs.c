/* syncs.c: preloaded into the programs that are measured; counts what they have the disk finish in the file that
 * WM_BENCH_SYNCS names, which the benchmark reads meanwhile.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t *counter;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("WM_BENCH_SYNCS");
  int file = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *shared = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (shared != MAP_FAILED) counter = shared;
}

static int finish(long call, int file) {
  if (counter != NULL) atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  return (int)syscall(call, file);
}

int fsync(int file) {
  return finish(SYS_fsync, file);
}

int fdatasync(int file) {
  return finish(SYS_fdatasync, file);
}
