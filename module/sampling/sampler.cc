#include "module/sampling/sampler.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
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

CpuSampler::CpuSampler(std::size_t rows, std::atomic<bool>& behind)
    : behind_(behind), used_(std::make_unique<std::atomic<std::uint64_t>[]>(rows)) {}

std::uint64_t CpuSampler::cpu_clock() const { return nanoseconds_of(clock_); }

bool CpuSampler::start(unsigned hz) {
  if (running_ || hz == 0) return running_;
  if (pthread_getcpuclockid(pthread_self(), &clock_) != 0) return false;
  mean_nanoseconds_ = kBillion / hz;
  cpu_ = own_since_ = cpu_clock();
  cpu_own_ = own_.load(std::memory_order_relaxed);
  stopping_.store(false, std::memory_order_relaxed);
  waits_.store(false, std::memory_order_relaxed);
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
  stretches_.forget();
  running_ = false;
}

std::uint64_t CpuSampler::note_slow() {
  if (std::exchange(noted_sequence_, sequence_) == sequence_) return 0;
  if (long_sequence_.load(std::memory_order_acquire) != sequence_) return 0;
  bool in_own_work = now_.load(std::memory_order_relaxed) & kOwn;
  std::uint64_t since = long_since_.load(std::memory_order_relaxed), now = in_own_work ? own_since_ : cpu_clock();
  if (now <= since) return 0;
  // Between two stretches nobody measures: a long command is no matter of chance.
  if (running_ && waits_.load(std::memory_order_relaxed) && !stretches_.measuring()) {
    charge_by_clock(charged(), std::min(now - since, not_settled(now)));
  }
  return now - since;
}

void CpuSampler::begin_own() {
  if (!running_) return;
  std::uint64_t before = now_.load(std::memory_order_relaxed), now = cpu_clock();
  if (stretches_.measuring())
    end_command(before, now);
  else if (before & kOwn)
    charge_own(before & (kMaxRows - 1), now);
  own_since_ = now;
  now_.store(before | kOwn, std::memory_order_relaxed);
}

void CpuSampler::end_own(std::uint32_t row, bool rests) {
  if (running_) {
    std::uint64_t now = cpu_clock();
    charge_own(row, now);
    stretches_.charged(now);
  }
  now_.store(sequence_ | (rests ? kOwn | row : charged()), std::memory_order_relaxed);
}

void CpuSampler::keep_up(bool waits, bool quiet, std::uint64_t wall_usec) {
  if (!running_ || (!waits && !waits_.load(std::memory_order_relaxed))) return;
  if (waits_.load(std::memory_order_relaxed)) {
    if (quiet || !waits) stretches_.end();
    if (!stretches_.measuring()) settle(own_since_);
    waits_.store(waits);
  } else {
    waits_.store(true);  // before the clock is read: a look that has not seen it has read the clock before
    waits_since_ = cpu_clock();
    waits_since_own_ = own_.load(std::memory_order_relaxed) + waits_since_ - own_since_;
    stretches_.forget();
  }
  if (waits) stretches_.begin(own_since_, wall_usec);
  if (stretches_.measuring()) behind_.store(true, std::memory_order_relaxed);
}

void CpuSampler::end_command() {
  if (!stretches_.measuring()) return;
  end_command(now_.load(std::memory_order_relaxed), cpu_clock());
  if (stretches_.measuring()) behind_.store(true, std::memory_order_relaxed);  // the next one, too
}

void CpuSampler::end_command(std::uint64_t before, std::uint64_t now) {
  constexpr std::uint64_t kMaybeSlow = 1'000'000;
  std::uint64_t since = stretches_.last();
  auto row = static_cast<std::uint32_t>(before & (kMaxRows - 1));
  if (before & kOwn) {
    charge_own(row, now);
    stretches_.charged(now);
    return;
  }
  if (now - since >= kMaybeSlow) {
    long_since_.store(since, std::memory_order_relaxed);
    long_sequence_.store(sequence_, std::memory_order_release);
    behind_.store(true, std::memory_order_relaxed);
  }
  if (stretches_.used(row, now)) settle(now);
}

std::uint64_t CpuSampler::not_settled(std::uint64_t now) const {
  std::uint64_t charged = waits_since_ + own_.load(std::memory_order_relaxed) - waits_since_own_;
  return now > charged ? now - charged : 0;
}

void CpuSampler::settle(std::uint64_t now) {
  stretches_.split(not_settled(now), [this](std::uint32_t row, std::uint64_t share) { charge_by_clock(row, share); });
}

void CpuSampler::give_up(std::uint32_t row, std::uint32_t heir) {
  if (charged() == row) charge_to(heir);
  stretches_.give_up(row, heir);
}

void CpuSampler::charge_own(std::uint64_t row, std::uint64_t now) {
  charge_by_clock(row, now - std::exchange(own_since_, now));
}

void CpuSampler::charge_by_clock(std::uint64_t row, std::uint64_t used) {
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
  std::uint64_t previous = 0, since = 0;           // the command seen last; the CPU clock when it began, more or less
  std::uint64_t seen = cpu_, seen_own = cpu_own_;  // the clocks at the last look
  for (;;) {
    std::uint64_t wait = mean_nanoseconds_ / 2 + next_random(random) % mean_nanoseconds_;
    itimerspec expiry{};
    expiry.it_value = {static_cast<time_t>(wait / kBillion), static_cast<long>(wait % kBillion)};
    timer_settime(timer, 0, &expiry, nullptr);
    while (sigwaitinfo(&signals, nullptr) < 0) {
    }
    if (stopping_.load(std::memory_order_relaxed)) break;
    bool waits = waits_.load();
    std::uint64_t own = own_.load(std::memory_order_acquire), cpu = cpu_clock();
    std::uint64_t now = now_.load(std::memory_order_relaxed);
    std::uint64_t used = cpu - cpu_ - (own - cpu_own_);
    if (now & kOwn || used > cpu - cpu_) continue;  // the latter: own work has ended between the two looks above
    if (waits || waits_.load()) {
      late_.fetch_add(1, std::memory_order_relaxed);
    } else {
      used_[now & (kMaxRows - 1)].fetch_add(used, std::memory_order_relaxed);
      cpu_ = cpu;
      cpu_own_ = own;
    }

    // It began somewhere in between; after own work it is not the one before, though nothing began since.
    if (now != previous || own != seen_own) {
      std::uint64_t between = cpu - seen, own_between = own - seen_own;
      if (!waits) between -= std::min(between, own_between);  // else users' is in it, too
      since = cpu - between / 2;
    } else {
      long_since_.store(since, std::memory_order_relaxed);
      long_sequence_.store(now & ~(kFirst - 1), std::memory_order_release);
      behind_.store(true, std::memory_order_release);
    }
    previous = now;
    seen = cpu;
    seen_own = own;
  }
  timer_delete(timer);
}

}  // namespace tenants
