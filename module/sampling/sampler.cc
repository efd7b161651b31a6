#include "module/sampling/sampler.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace tenants {
namespace {

constexpr std::uint64_t kBillion = 1'000'000'000;
constexpr std::size_t kStackBytes = std::size_t{128} * 1024;
// An idle server is looked at less often: the rest between two looks doubles up to this factor.
constexpr std::uint64_t kLongestRest = 4;
constexpr std::uint64_t kIdleNanoseconds = 20'000;

std::uint64_t nanoseconds_of(clockid_t clock) {
  timespec time;
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * kBillion + static_cast<std::uint64_t>(time.tv_nsec);
}

// xorshift64: spreads the looks so that no periodic command can hide between them.
std::uint64_t next_random(std::uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

}  // namespace

CpuSampler::CpuSampler(std::size_t rows) : used_(std::make_unique<std::atomic<std::uint64_t>[]>(rows)) {}

std::uint64_t CpuSampler::cpu_clock() const { return nanoseconds_of(clock_); }

bool CpuSampler::start(unsigned hz) {
  if (running_ || hz == 0) return running_;
  if (pthread_getcpuclockid(pthread_self(), &clock_) != 0) return false;
  stop_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_descriptor_ < 0) return false;
  mean_nanoseconds_ = kBillion / hz;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  running_ = pthread_create(&thread_, &attributes, run, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (running_)
    pthread_setname_np(thread_, "tenants-cpu");
  else
    close(stop_descriptor_);
  return running_;
}

void CpuSampler::stop() {
  if (!running_) return;
  std::uint64_t one = 1;
  while (write(stop_descriptor_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  pthread_join(thread_, nullptr);
  close(stop_descriptor_);
  running_ = false;
}

void* CpuSampler::run(void* self) {
  static_cast<CpuSampler*>(self)->loop();
  return nullptr;
}

void CpuSampler::loop() {
  std::uint64_t random = nanoseconds_of(CLOCK_MONOTONIC) | 1, rest = 1;
  std::uint64_t cpu = cpu_clock(), wall = nanoseconds_of(CLOCK_MONOTONIC);
  std::uint64_t previous = 0, stretch = 0;  // the command seen last; CPU time since it began, as far as known
  bool was_quiet = false;
  pollfd stopped{stop_descriptor_, POLLIN, 0};
  for (;;) {
    std::uint64_t wait = rest * (mean_nanoseconds_ / 2 + next_random(random) % mean_nanoseconds_);
    timespec timeout{static_cast<time_t>(wait / kBillion), static_cast<long>(wait % kBillion)};
    if (ppoll(&stopped, 1, &timeout, nullptr) != 0) return;
    std::uint64_t cpu_now = cpu_clock(), wall_now = nanoseconds_of(CLOCK_MONOTONIC);
    std::uint64_t now = now_.load(std::memory_order_relaxed);
    std::uint64_t used = cpu_now - cpu;
    used_[now & (kMaxRows - 1)].fetch_add(used, std::memory_order_relaxed);
    rest = used < kIdleNanoseconds ? (rest < kLongestRest ? rest * 2 : kLongestRest) : 1;

    bool quiet = used * 10 < (wall_now - wall) * 3;
    if (quiet)
      stretch = 0;  // little by little, between commands
    else if (now == previous)
      stretch += used;
    else if (now >> kRowBits == (previous >> kRowBits) + 1 && was_quiet)
      stretch = used;
    else  // it began somewhere in between
      stretch = std::min(used / 2, mean_nanoseconds_);
    was_quiet = quiet;
    if (stretch >= kSlowNanoseconds) {
      slow_nanoseconds_.store(stretch, std::memory_order_relaxed);
      slow_sequence_.store(now & ~(kMaxRows - 1), std::memory_order_relaxed);
    }
    previous = now;
    cpu = cpu_now;
    wall = wall_now;
  }
}

}  // namespace tenants
