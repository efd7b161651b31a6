#include "module/sampling/sampler.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <utility>

namespace tenants {
namespace {

constexpr std::uint64_t kBillion = 1'000'000'000;
constexpr std::size_t kStackBytes = std::size_t{128} * 1024;
// Of the timer, to the sampler's thread alone, which never lets it be delivered: it waits for it.
const int kSignal = SIGRTMAX - 2;

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
  mean_nanoseconds_ = kBillion / hz;
  cpu_ = own_since_ = cpu_clock();
  cpu_own_ = own_.load(std::memory_order_relaxed);
  stopping_.store(false, std::memory_order_relaxed);
  started_.store(Started::kNotYet, std::memory_order_relaxed);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool created = pthread_create(&thread_, &attributes, run, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (!created) return false;
  started_.wait(Started::kNotYet);
  running_ = started_.load() == Started::kYes;
  has_run_ |= running_;
  if (running_)
    pthread_setname_np(thread_, "tenants-cpu");
  else
    pthread_join(thread_, nullptr);
  return running_;
}

void CpuSampler::stop() {
  if (!running_) return;
  stopping_.store(true, std::memory_order_relaxed);
  pthread_kill(thread_, kSignal);
  pthread_join(thread_, nullptr);
  running_ = false;
}

std::uint64_t CpuSampler::note_slow() {
  noted_sequence_ = sequence_;
  if (long_sequence_.load(std::memory_order_acquire) != sequence_) return 0;
  std::uint64_t since = long_since_.load(std::memory_order_relaxed), now = cpu_clock();
  return now > since ? now - since : 0;
}

void CpuSampler::begin_own() {
  if (!running_) return;
  std::uint64_t before = now_.load(std::memory_order_relaxed), now = cpu_clock();
  if (before & kOwn) charge_own(before & (kMaxRows - 1), now);
  own_since_ = now;
  now_.store(before | kOwn, std::memory_order_relaxed);
}

void CpuSampler::end_own(std::uint32_t row, bool rests) {
  if (running_) charge_own(row, cpu_clock());
  now_.store(sequence_ | (rests ? kOwn | row : charged()), std::memory_order_relaxed);
}

void CpuSampler::charge_own(std::uint64_t row, std::uint64_t now) {
  std::uint64_t used = now - std::exchange(own_since_, now);
  used_[row].fetch_add(used, std::memory_order_relaxed);
  own_.fetch_add(used, std::memory_order_release);
}

void* CpuSampler::run(void* self) {
  static_cast<CpuSampler*>(self)->loop();
  return nullptr;
}

void CpuSampler::loop() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSignal;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  timer_t timer;
  bool ready = timer_create(clock_, &event, &timer) == 0;
  started_.store(ready ? Started::kYes : Started::kNo);
  started_.notify_one();
  if (!ready) return;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, kSignal);
  std::uint64_t random = nanoseconds_of(CLOCK_MONOTONIC) | 1;
  std::uint64_t previous = 0, since = 0;  // the command seen last; the CPU clock when it began, more or less
  for (;;) {
    std::uint64_t wait = mean_nanoseconds_ / 2 + next_random(random) % mean_nanoseconds_;
    itimerspec expiry{};
    expiry.it_value = {static_cast<time_t>(wait / kBillion), static_cast<long>(wait % kBillion)};
    timer_settime(timer, 0, &expiry, nullptr);
    while (sigwaitinfo(&signals, nullptr) < 0) {
    }
    if (stopping_.load(std::memory_order_relaxed)) break;
    std::uint64_t own = own_.load(std::memory_order_acquire), cpu = cpu_clock();
    std::uint64_t now = now_.load(std::memory_order_relaxed);
    std::uint64_t used = cpu - cpu_ - (own - cpu_own_);
    if (now & kOwn || used > cpu - cpu_) continue;  // the latter: own work has ended between the two looks above
    used_[now & (kMaxRows - 1)].fetch_add(used, std::memory_order_relaxed);

    // It began somewhere in between; after own work it is not the one before, though nothing began since.
    if (now != previous || own != cpu_own_) {
      since = cpu - used / 2;
    } else {
      long_since_.store(since, std::memory_order_relaxed);
      long_sequence_.store(now & ~(kFirst - 1), std::memory_order_release);
    }
    previous = now;
    cpu_ = cpu;
    cpu_own_ = own;
  }
  timer_delete(timer);
}

}  // namespace tenants
