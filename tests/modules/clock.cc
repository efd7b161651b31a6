// A wall clock that jumps, put before libc's by LD_PRELOAD (tests/integration/test_host.py). Clocks that only count on
// stay as they are, as when somebody sets the time of a machine. libfaketime can't be had together with jemalloc, which
// asks for the time while libfaketime still asks for memory.
//
// The environment's CLOCK names a file of one 64-bit number, the seconds to add, which the test writes while the server
// runs.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

const volatile std::int64_t* map_offset() {
  const char* path = std::getenv("CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) std::abort();
  void* memory = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<const volatile std::int64_t*>(memory);
}

std::int64_t offset() {
  static const volatile std::int64_t* mapped;  // mapped twice by two threads at worst
  if (!mapped) mapped = map_offset();
  return *mapped;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, timespec* time) noexcept {
  auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
  return result;
}

__attribute__((visibility("default"))) int gettimeofday(timeval* time, void*) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

__attribute__((visibility("default"))) time_t time(time_t* seconds) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (seconds) *seconds = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
