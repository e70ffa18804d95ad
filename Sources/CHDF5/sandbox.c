#define _GNU_SOURCE
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static void limit(int resource, rlim_t soft, rlim_t hard) {
  struct rlimit limits = {soft, hard};
  setrlimit(resource, &limits);
}

static void limit_memory(size_t additional) {
  // A sanitizer reserves terabytes of addresses.
  if (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)) return;
  char text[64];
  int statistics = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (statistics < 0) return;
  ssize_t count = read(statistics, text, sizeof text - 1);
  close(statistics);
  if (count <= 0) return;
  text[count] = 0;
  rlim_t inherited = strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
  limit(RLIMIT_AS, inherited + additional, inherited + additional);
}

static void close_everything(void) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 0U, ~0U, 0U) == 0) return;
#endif
  long count = sysconf(_SC_OPEN_MAX);
  if (count < 0 || count > 65536) count = 65536;
  for (int descriptor = 0; descriptor < count; descriptor++) close(descriptor);
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// Memory, the clock and the exit are all that parsing bytes needs. Where the kernel has no such filter, the limits and
// the closed descriptors must do.
static int filter_system_calls(void) {
#ifdef ARCHITECTURE
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define JUMP(test, value, ahead_if, ahead_else) BPF_JUMP(BPF_JMP | test | BPF_K, value, ahead_if, ahead_else)
#define ALLOW(name) JUMP(BPF_JEQ, SYS_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
  static struct sock_filter filter[] = {
      LOAD(arch),
      JUMP(BPF_JEQ, ARCHITECTURE, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
      ALLOW(munmap),
      ALLOW(mremap),
      ALLOW(brk),
      ALLOW(madvise),
      ALLOW(futex),
      ALLOW(sched_yield),
      ALLOW(clock_gettime),
      ALLOW(gettimeofday),
      ALLOW(getrusage),
      ALLOW(getrandom),
      ALLOW(getpid),
      ALLOW(gettid),
      ALLOW(rt_sigaction),
      ALLOW(rt_sigprocmask),
      ALLOW(rt_sigreturn),
      ALLOW(sigaltstack),
      ALLOW(restart_syscall),
      ALLOW(exit),
      ALLOW(exit_group),
      // Memory, but none that can be executed.
      JUMP(BPF_JEQ, SYS_mmap, 1, 0),
      JUMP(BPF_JEQ, SYS_mprotect, 0, 3),
      LOAD(args[2]),
      JUMP(BPF_JSET, PROT_EXEC, 1, 0),
      RETURN(SECCOMP_RET_ALLOW),
      RETURN(SECCOMP_RET_ERRNO | EPERM),
  };
  static const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
#else
  return ENOSYS;
#endif
}

int chdf5_drop_rights(chdf5_terms terms) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  limit_memory(terms.memory);
  limit(RLIMIT_CPU, terms.seconds, terms.seconds + 1);
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_FSIZE, 0, 0);
  close_everything();
  limit(RLIMIT_NOFILE, 0, 0);
  prctl(PR_SET_DUMPABLE, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return filter_system_calls();
}
