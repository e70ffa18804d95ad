// Everything here runs in a signal handler but the last function: no memory is allocated, no lock is taken.
#define _GNU_SOURCE
#include "registry.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static char tool_name[64];
static bool writes_json;
static char signal_stack[1 << 15];

// A piece of a line, collected so that lines of several threads do not mix.
struct line {
  char text[8192];
  size_t length;
};

static void append(struct line *line, const char *text) {
  const size_t count = strlen(text), room = sizeof line->text - line->length;
  const size_t taken = count < room ? count : room;
  memcpy(line->text + line->length, text, taken);
  line->length += taken;
}

// A path may hold anything: it must break neither the line nor the JSON.
static void append_path(struct line *line, const char *path, bool is_json) {
  for (; *path && line->length + 2 < sizeof line->text; path++) {
    const bool is_control = (unsigned char)*path < 0x20 || *path == 0x7F;
    if (is_json && (*path == '"' || *path == '\\')) line->text[line->length++] = '\\';
    line->text[line->length++] = is_control ? '?' : *path;
  }
}

static void flush(int descriptor, const struct line *line) {
  for (size_t done = 0; done < line->length;) {
    const ssize_t count = write(descriptor, line->text + done, line->length - done);
    if (count <= 0) return;
    done += (size_t)count;
  }
}

// Says what is wrong, cleans up and ends the process.
static _Noreturn void finish(const char *path, const char *code, const char *problem, int status) {
  // Of several threads that meet the same fault only one reports it; the others wait for the end.
  static atomic_flag is_reported = ATOMIC_FLAG_INIT;
  if (atomic_flag_test_and_set(&is_reported))
    while (true) pause();
  static struct line line;
  append(&line, tool_name);
  append(&line, ": ");
  if (path) {
    append_path(&line, path, false);
    append(&line, ": ");
  }
  append(&line, problem);
  append(&line, "\n");
  flush(STDERR_FILENO, &line);
  if (writes_json) {
    line.length = 0;
    append(&line, "{\n  \"ok\": false,\n  \"error\": {\n    \"code\": \"");
    append(&line, code);
    if (path) {
      append(&line, "\",\n    \"file\": \"");
      append_path(&line, path, true);
    }
    append(&line, "\",\n    \"problem\": \"");
    append(&line, problem);
    append(&line, "\"\n  }\n}\n");
    flush(STDOUT_FILENO, &line);
  }
  for (const cmf_entry *entry = cmf_first(); entry; entry = entry->next)
    if (atomic_load(&entry->kind) == CMF_TEMPORARY) unlink(entry->path);
  _exit(status);
}

static uintptr_t stack_pointer(const void *context) {
#if defined(__x86_64__)
  return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
  return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.sp;
#else
  (void)context;
  return 0;
#endif
}

static bool memory_is_used_up(void) {
  const size_t size = 1 << 20;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return true;
  munmap(memory, size);
  return false;
}

static void handle(int number, siginfo_t *information, void *context) {
  if (number == SIGBUS) {
    const cmf_entry *mapping = cmf_find(information->si_addr);
    if (mapping && cmf_is_shorter(mapping))
      finish(mapping->path, "file.shortened",
             "became shorter while it was read; run the command again when nothing writes to it", 74);
    if (mapping) finish(mapping->path, "file.read", "cannot be read any more: it was changed, or the disk that it is on reports an error", 74);
  }
  if (number == SIGSEGV) {
    const uintptr_t address = (uintptr_t)information->si_addr, stack = stack_pointer(context);
    if (address < stack + (1 << 16) && stack < address + (1 << 20))
      finish(NULL, "memory.stack", "ran out of stack; allow more with 'ulimit -s'", 69);
  }
  if (memory_is_used_up())
    finish(NULL, "memory.limit", "ran out of memory; allow more with 'ulimit -d' or 'ulimit -v'", 69);
  char problem[] = "stopped by a fault of its own, signal 00; please report it with the command and its input";
  char *digits = strstr(problem, "00");
  digits[0] = (char)('0' + number / 10 % 10);
  digits[1] = (char)('0' + number % 10);
  finish(NULL, "software", problem, 70);
}

void cmf_report_faults(const char *tool, bool json) {
  strncpy(tool_name, tool, sizeof tool_name - 1);
  writes_json = json;
  const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = handle;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
  if (getenv("SWIFT_BACKTRACE") || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)) return;
  static const int numbers[] = {SIGSEGV, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
}
