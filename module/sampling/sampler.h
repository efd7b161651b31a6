// Who uses the main thread's CPU? A thread looks at the main thread's CPU clock a few hundred times a second, at random
// intervals, and charges what was used since the last look to the user whose command ran last.
//
// The main thread pays one relaxed store per command. Nothing is shared but atomics: no lock, no hook, nothing that a
// fork or an unload could find half-way. The sampler's thread blocks all signals: they are the server's.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace tenants {

class CpuSampler {
 public:
  static constexpr std::uint64_t kSlowNanoseconds = 10'000'000;

  // One row per user; at most 2^20.
  explicit CpuSampler(std::size_t rows);
  ~CpuSampler() { stop(); }
  CpuSampler(const CpuSampler&) = delete;
  CpuSampler& operator=(const CpuSampler&) = delete;

  // Begins to watch the thread that calls, `hz` times a second on average. False where no thread could be had.
  bool start(unsigned hz);
  // Waits until the thread is gone; less than a millisecond.
  void stop();
  bool running() const { return running_; }

  // A command of this row's user begins. Main thread only, O(1), no call.
  void begin(std::uint32_t row) {
    sequence_ += kMaxRows;
    now_.store(sequence_ | row, std::memory_order_relaxed);
  }
  // Whatever runs from here on is this row's, but no new command.
  void charge_to(std::uint32_t row) { now_.store(sequence_ | row, std::memory_order_relaxed); }
  std::uint32_t charged() const { return now_.load(std::memory_order_relaxed) & (kMaxRows - 1); }
  std::uint64_t sequence() const { return sequence_; }

  // CPU time charged to this row since the start, in nanoseconds.
  std::uint64_t nanoseconds(std::uint32_t row) const { return used_[row].load(std::memory_order_relaxed); }
  // Is the command that began last known to have kept the thread busy for kSlowNanoseconds or more? One load.
  bool slow() const {
    return slow_sequence_.load(std::memory_order_relaxed) == sequence_ && sequence_ != noted_sequence_;
  }
  // For how long, as far as seen, in nanoseconds of CPU time.
  std::uint64_t slow_nanoseconds() const { return slow_nanoseconds_.load(std::memory_order_relaxed); }
  // Once per command is enough.
  void note_slow() { noted_sequence_ = sequence_; }

 private:
  static constexpr int kRowBits = 20;
  static constexpr std::uint64_t kMaxRows = std::uint64_t{1} << kRowBits;

  static void* run(void* self);
  void loop();
  std::uint64_t cpu_clock() const;

  // One cache line for what the main thread touches at every command. The sampler's few looks at it cost less than a
  // second line would.
  alignas(64) std::uint64_t sequence_ = 0;  // of the command, shifted by kRowBits; the main thread's
  std::uint64_t noted_sequence_ = 0;        // likewise
  std::atomic<std::uint64_t> now_{0};       // the sequence and the row
  std::atomic<std::uint64_t> slow_sequence_{0};
  std::atomic<std::uint64_t> slow_nanoseconds_{0};
  alignas(64) std::unique_ptr<std::atomic<std::uint64_t>[]> used_;
  clockid_t clock_ = 0;
  std::uint64_t mean_nanoseconds_ = 0;
  int stop_descriptor_ = -1;
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace tenants
