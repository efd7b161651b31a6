// Where the main thread has to wait for a core, looks at it (sampler.h) come when the scheduler lets them, and meet
// long commands too often: the kernel starts the thread at its ticks, and looks for timers at its ticks. There the CPU
// clock is read at the end of each command, in stretches: one after the other where few commands come, else so many
// that the clock is read kReadsPerSecond times at the most. What is used between two stretches goes to whom the last
// one says.
//
// A stretch begins and ends at the end of a command, at moments that time chooses, so that long commands are in it as
// often as short ones. Times are those of the main thread's CPU clock, in nanoseconds, where nothing else is said.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tenants {

class Stretches {
 public:
  static constexpr std::uint64_t kLength = 20'000'000;      // many commands even where they take a millisecond
  static constexpr std::uint64_t kReadsPerSecond = 10'000;  // a quarter of a microsecond each
  static constexpr std::uint64_t kFewReads = 200;           // in a stretch: 10,000 per second of CPU time
  static constexpr std::size_t kMostRows = 128;             // more users end a stretch

  // Is one under way?
  bool measuring() const { return measuring_; }
  // Begins one if it is time, by the clock on the wall, in microseconds.
  void begin(std::uint64_t now, std::uint64_t wall_usec);
  // What was used since the last such call was this row's. True: the stretch has ended, and split() knows more; another
  // one may have begun. O(rows).
  bool used(std::uint32_t row, std::uint64_t now);
  // What was used since then was charged otherwise.
  void charged(std::uint64_t now) { last_ = now; }
  // Ends the one under way, at the end of a command. False where nothing was measured in it.
  bool end();
  // The row is given up: what is known of it is `heir`'s. O(rows).
  void give_up(std::uint32_t row, std::uint32_t heir);
  void forget();

  // When the command that is under way began, if all since then was its own.
  std::uint64_t last() const { return last_; }
  // Charges so many nanoseconds, all of them, as the last whole stretch says. False where there is none. O(rows).
  template <typename Charge>
  bool split(std::uint64_t nanoseconds, Charge charge) const {
    if (whole_.sum == 0) return false;
    std::uint64_t left = nanoseconds;
    for (std::size_t i = 0; i < whole_.rows; ++i) {
      std::uint64_t share = left;
      if (i + 1 < whole_.rows)
        share =
            static_cast<std::uint64_t>(static_cast<unsigned __int128>(nanoseconds) * whole_.each[i].used / whole_.sum);
      charge(whole_.each[i].row, share);
      left -= share;
    }
    return true;
  }

 private:
  struct Use {
    std::uint32_t row;
    std::uint64_t used;
  };
  struct Measured {
    std::array<Use, kMostRows> each;
    std::size_t rows = 0;
    std::uint64_t sum = 0;
  };

  void start(std::uint64_t now);

  bool measuring_ = false;
  std::uint64_t began_ = 0, last_ = 0, reads_ = 0;
  std::uint64_t due_usec_ = 0;  // the next one, by the clock on the wall
  Measured current_, whole_;
};

}  // namespace tenants
