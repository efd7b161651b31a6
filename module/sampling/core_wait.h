// Has the thread that makes this had to wait for a core of late? As the kernel says in /proc (schedstat): where other
// processes keep the cores busy, or a container's quota is used up.
#pragma once

#include <cstdint>
#include <optional>

namespace tenants {

class CoreWait {
 public:
  CoreWait();
  ~CoreWait();
  CoreWait(const CoreWait&) = delete;
  CoreWait& operator=(const CoreWait&) = delete;

  // In nanoseconds, since the thread began; nothing where the kernel does not say. One system call, some 2 µs.
  std::optional<std::uint64_t> waited() const;
  // Looks again, ten times a second or less often. True while it waits, and for a second afterwards.
  bool look(std::uint64_t now_usec);

  // As the kernel has them: nanoseconds that it ran, and that it waited, and how often it began to run.
  struct Times {
    std::uint64_t ran, waited, runs;
  };
  // In between, for more than a twentieth of what it ran? To be woken takes some µs, and is no waiting.
  static bool waits(const Times& before, const Times& now);

 private:
  std::optional<Times> read() const;

  int file_;
  Times before_{0, 0, 0};
  std::uint64_t looked_usec_ = 0, waits_until_usec_ = 0;
};

}  // namespace tenants
