#define _GNU_SOURCE
#include "job.h"
#include "library.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Waits until the child has ended or the time is up; true where it has ended.
static bool wait_for(pid_t child, int milliseconds) {
  int handle = -1;
#ifdef SYS_pidfd_open
  handle = (int)syscall(SYS_pidfd_open, child, 0);
#endif
  if (handle >= 0) {
    struct pollfd ending = {.fd = handle, .events = POLLIN};
    int count;
    while ((count = poll(&ending, 1, milliseconds)) < 0 && errno == EINTR) continue;
    close(handle);
    return count != 0;
  }
  // Linux before 5.3, or a container that refuses the call.
  for (int passed = 0; passed < milliseconds; passed += 2) {
    siginfo_t ended = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == child) return true;
    poll(NULL, 0, 2);
  }
  return false;
}

// What a child that has ended left behind; nothing in it is taken on trust.
static chdf5_outcome examine(const struct job *job, bool is_late, int status) {
  chdf5_outcome outcome = job->outcome;
  outcome.place[sizeof outcome.place - 1] = 0;
  outcome.message[sizeof outcome.message - 1] = 0;
  outcome.detail = 0;
  if (is_late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)) {
    outcome.status = CHDF5_TIMED_OUT;
  } else if (WIFSIGNALED(status)) {
    outcome.status = CHDF5_CRASHED;
    outcome.detail = WTERMSIG(status);
  } else if (status != 0 || (outcome.status != CHDF5_DONE && outcome.status != CHDF5_MALFORMED &&
                             outcome.status != CHDF5_EXCESSIVE)) {
    outcome.status = CHDF5_CRASHED;
  }
  return outcome;
}

static chdf5_outcome perform_isolated(struct job *job, chdf5_terms terms) {
  job->outcome.status = CHDF5_CRASHED;  // until the child says otherwise
  // No handler of the parent's may run in the child.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  pid_t child = fork();
  if (child == 0) {
    chdf5_drop_rights(terms);
    job->outcome.status = CHDF5_DONE;
    job->work(job);
    _exit(0);
  }
  int reason = errno;
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  if (child < 0) return (chdf5_outcome){.status = CHDF5_NO_RESOURCES, .detail = reason};

  bool is_late = !wait_for(child, terms.seconds < 100000 ? (int)terms.seconds * 3000 : 300000000);
  if (is_late) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return examine(job, is_late, status);
}

int chdf5_probe_sandbox(void) {
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  const pid_t child = fork();
  if (child == 0) _exit(chdf5_drop_rights((chdf5_terms){.isolated = true, .seconds = 1, .memory = 1 << 20}));
  int reason = errno;
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  if (child < 0) return reason;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

static chdf5_outcome perform_here(struct job *job) {
  static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&one_at_a_time);
  job->outcome.status = CHDF5_DONE;
  job->work(job);
  pthread_mutex_unlock(&one_at_a_time);
  return job->outcome;
}

chdf5_outcome chdf5_perform(struct job *job, chdf5_terms terms) {
  if (!chdf5_load()) return (chdf5_outcome){.status = CHDF5_UNAVAILABLE};
  return terms.isolated ? perform_isolated(job, terms) : perform_here(job);
}

// The library's errors, innermost first: the first one is the cause.
static herr_t take_first(unsigned index, const H5E_error2_t *error, void *message) {
  if (index == 0 && error->desc) *(const char **)message = error->desc;
  return 0;
}

void chdf5_fail(struct job *job, chdf5_status status, const char *place, const char *message) {
  if (job->outcome.status != CHDF5_DONE) return;
  if (!message) {
    message = "the library does not say why";
    hdf5.H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &message);
  }
  job->outcome.status = status;
  snprintf(job->outcome.place, sizeof job->outcome.place, "%s", place);
  snprintf(job->outcome.message, sizeof job->outcome.message, "%s", message);
}

static void *shared_memory(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

// Has something written to new memory.
static chdf5_outcome write_out(void (*work)(struct job *), const uint8_t *file, size_t length, chdf5_terms terms,
                               uint8_t **output, size_t *count) {
  *count = 0;
  struct job *job = shared_memory(sizeof *job);
  *output = shared_memory(CHDF5_MAXIMUM_CATALOGUE);
  chdf5_outcome outcome = {.status = CHDF5_NO_RESOURCES, .detail = ENOMEM};
  if (job && *output) {
    *job = (struct job){.work = work, .file = file, .length = length, .output = *output,
                        .capacity = CHDF5_MAXIMUM_CATALOGUE};
    outcome = chdf5_perform(job, terms);
    *count = job->used <= CHDF5_MAXIMUM_CATALOGUE ? job->used : 0;
  }
  if (job) munmap(job, sizeof *job);
  return outcome;
}

chdf5_outcome chdf5_list(const uint8_t *file, size_t length, chdf5_terms terms, uint8_t **catalogue, size_t *count) {
  return write_out(chdf5_list_work, file, length, terms, catalogue, count);
}

chdf5_outcome chdf5_lay_out(const uint8_t *description, size_t length, chdf5_terms terms, uint8_t **layout,
                            size_t *count) {
  return write_out(chdf5_lay_out_work, description, length, terms, layout, count);
}

void chdf5_release(uint8_t *output) {
  if (output) munmap(output, CHDF5_MAXIMUM_CATALOGUE);
}

chdf5_outcome chdf5_decode(const uint8_t *file, size_t length, uint64_t address, chdf5_terms terms, uint8_t *output,
                           size_t size) {
  struct job *job = shared_memory(sizeof *job);
  if (!job) return (chdf5_outcome){.status = CHDF5_NO_RESOURCES, .detail = ENOMEM};
  *job = (struct job){.work = chdf5_decode_work, .file = file, .length = length, .address = address, .output = output,
                      .capacity = size};
  // Only the child that fills this memory inherits it: a later one, for another file, shall not be able to change it.
  madvise(output, size, MADV_DOFORK);
  chdf5_outcome outcome = chdf5_perform(job, terms);
  madvise(output, size, MADV_DONTFORK);
  if (outcome.status == CHDF5_DONE && job->used != size) outcome.status = CHDF5_CRASHED;
  munmap(job, sizeof *job);
  return outcome;
}
