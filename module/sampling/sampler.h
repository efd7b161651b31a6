// Who uses the main thread's CPU? Whenever the main thread has used some milliseconds more of it, as many as chance
// will have, a thread of our own looks and charges them to the user whose command began last. A timer on the main
// thread's CPU clock wakes it: a wall clock would also look at the moments when the main thread rests, and charge these
// to who came last.
//
// What the main thread uses while nobody asks for anything, and for us, it charges itself, by the clock: the timer
// comes with the kernel's tick, and work that is itself woken by timers would never meet it. And it charges all itself
// while it has to wait for a core (stretches.h).
//
// Per command, the main thread pays one relaxed store. Nothing is shared but atomics: no lock, no hook, nothing that a
// fork or an unload could find half-way. The sampler's thread blocks all signals: they are the server's. The timer's
// goes to this thread alone, which waits for it.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "module/sampling/stretches.h"

namespace tenants {

class CpuSampler {
 public:
  // One row per user; at most 2^20. `behind`: set, on any thread, when end_command() or maybe_slow() is to be called
  // before the next command begins.
  CpuSampler(std::size_t rows, std::atomic<bool>& behind);
  ~CpuSampler() { stop(); }
  CpuSampler(const CpuSampler&) = delete;
  CpuSampler& operator=(const CpuSampler&) = delete;

  // Begins to watch the thread that calls, `hz` times per second of its CPU time on average, but not more often than
  // the kernel's tick. False where no thread or no timer could be had.
  bool start(unsigned hz);
  // Waits until the thread is gone; less than a millisecond.
  void stop();
  bool running() const { return running_; }
  bool has_run() const { return has_run_; }

  // A command of this row's user begins. Main thread only, O(1), no call.
  void begin(std::uint32_t row) {
    sequence_ += kFirst;
    now_.store(sequence_ | row, std::memory_order_relaxed);
  }
  // Whatever runs from here on is this row's, but no new command.
  void charge_to(std::uint32_t row) {
    now_.store(sequence_ | (now_.load(std::memory_order_relaxed) & kOwn) | row, std::memory_order_relaxed);
  }
  // This row is another user's from here on.
  void give_up(std::uint32_t row, std::uint32_t heir);
  std::uint32_t charged() const { return now_.load(std::memory_order_relaxed) & (kMaxRows - 1); }
  std::uint64_t sequence() const { return sequence_; }
  // The main thread works for itself until the end. Both read its clock.
  void begin_own();
  // `row` is charged with it. `rests`: and with whatever follows, up to the next begin_own, unless a command begins
  // before.
  void end_own(std::uint32_t row, bool rests);
  // In between, some ten times a second or more often. `waits`: the thread has had to wait for a core of late; `quiet`:
  // no command has begun since the last time; `wall_usec`: by any clock on the wall. O(1) or, while it waits, O(rows
  // that used something in the last 20 ms).
  void keep_up(bool waits, bool quiet, std::uint64_t wall_usec);
  // The command before has ended. May read the clock.
  void end_command();
  // Looks that charged nothing, because the thread had to wait for a core.
  std::uint64_t looks_late() const { return late_.load(std::memory_order_relaxed); }

  // While it lives no look charges anything, so that rows read one after the other belong together.
  class Hold {
   public:
    explicit Hold(CpuSampler& sampler) : sampler_(sampler), before_(sampler.now_.load(std::memory_order_relaxed)) {
      sampler_.now_.store(before_ | kOwn, std::memory_order_relaxed);
    }
    ~Hold() { sampler_.now_.store(before_, std::memory_order_relaxed); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    CpuSampler& sampler_;
    std::uint64_t before_;
  };

  // CPU time charged to this row since the start, in nanoseconds.
  std::uint64_t nanoseconds(std::uint32_t row) const { return used_[row].load(std::memory_order_relaxed); }
  // Did two looks find the command that began last, with the thread busy in between? One load.
  bool maybe_slow() const { return long_sequence_.load(std::memory_order_relaxed) == sequence_; }
  // For how long has it kept the thread busy, in nanoseconds of CPU time? Its end is known, its beginning to half the
  // time between two looks. 0 if that has been asked before. Main thread only, reads its clock.
  std::uint64_t note_slow();

 private:
  static constexpr int kRowBits = 20;
  static constexpr std::uint64_t kMaxRows = std::uint64_t{1} << kRowBits;
  static constexpr std::uint64_t kOwn = kMaxRows;  // no look charges anything
  static constexpr std::uint64_t kFirst = 2 * kOwn;

  static void* run(void* self);
  void loop();
  void charge_own(std::uint64_t row, std::uint64_t now);
  void charge_by_clock(std::uint64_t row, std::uint64_t used);
  void end_command(std::uint64_t before, std::uint64_t now);
  std::uint64_t not_settled(std::uint64_t now) const;
  void settle(std::uint64_t now);
  std::uint64_t cpu_clock() const;

  // One cache line for what the main thread touches at every command. The sampler's few looks at it cost less than a
  // second line would.
  alignas(64) std::uint64_t sequence_ = 0;  // of the command, a multiple of kFirst; the main thread's
  std::uint64_t noted_sequence_ = 0;        // likewise
  std::atomic<std::uint64_t> now_{0};       // the sequence, kOwn or not, and the row
  std::atomic<std::uint64_t> long_sequence_{0};
  std::atomic<std::uint64_t> long_since_{0};
  std::atomic<bool>& behind_;
  alignas(64) std::unique_ptr<std::atomic<std::uint64_t>[]> used_;
  std::atomic<std::uint64_t> own_{0};  // CPU time that was charged by the clock
  std::uint64_t own_since_ = 0;        // the CPU clock when own work began; the main thread's
  std::uint64_t cpu_ = 0;              // up to here of the CPU clock, and of own_, all is charged; the sampler's
  std::uint64_t cpu_own_ = 0;
  // While the thread has to wait for a core nothing is charged by looks. Since when, of the clock, and of own_.
  std::atomic<bool> waits_{false};
  std::uint64_t waits_since_ = 0, waits_since_own_ = 0;
  std::atomic<std::uint64_t> late_{0};
  Stretches stretches_;
  clockid_t clock_ = 0;
  std::uint64_t mean_nanoseconds_ = 0;
  enum class Started { kNotYet, kYes, kNo };
  std::atomic<Started> started_{Started::kNotYet};
  std::atomic<bool> stopping_{false};
  pthread_t thread_{};
  bool running_ = false, has_run_ = false;
};

}  // namespace tenants
