#include "module/sampling/core_wait.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace tenants {

CoreWait::CoreWait() : file_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {
  if (std::optional<Times> times = read()) before_ = *times;
}

CoreWait::~CoreWait() {
  if (file_ >= 0) close(file_);
}

std::optional<CoreWait::Times> CoreWait::read() const {
  char text[96];
  ssize_t length = file_ < 0 ? -1 : pread(file_, text, sizeof text, 0);
  if (length <= 0) return std::nullopt;
  Times times{0, 0, 0};
  const char* at = text;
  for (std::uint64_t* number : {&times.ran, &times.waited, &times.runs}) {
    auto [end, error] = std::from_chars(at, text + length, *number);
    if (error != std::errc()) return std::nullopt;
    at = std::min<const char*>(end + 1, text + length);
  }
  return times.ran ? std::optional(times) : std::nullopt;  // a kernel that does not count says 0
}

std::optional<std::uint64_t> CoreWait::waited() const {
  std::optional<Times> times = read();
  return times ? std::optional(times->waited) : std::nullopt;
}

bool CoreWait::waits(const Times& before, const Times& now) {
  constexpr std::uint64_t kWakeUp = 3'000;  // 1 to 2 µs where there is little to do
  std::uint64_t to_wake_up = kWakeUp * (now.runs - before.runs);
  return now.waited - before.waited > to_wake_up + (now.ran - before.ran) / 20;
}

bool CoreWait::look(std::uint64_t now_usec) {
  constexpr std::uint64_t kEveryUsec = 100'000, kStaysUsec = 1'000'000, kLeastRan = 1'000'000;
  if (now_usec - looked_usec_ < kEveryUsec) return now_usec < waits_until_usec_;
  looked_usec_ = now_usec;
  std::optional<Times> now = read();
  if (!now || now->ran - before_.ran < kLeastRan) return now_usec < waits_until_usec_;
  if (waits(before_, *now)) waits_until_usec_ = now_usec + kStaysUsec;
  before_ = *now;
  return now_usec < waits_until_usec_;
}

}  // namespace tenants
