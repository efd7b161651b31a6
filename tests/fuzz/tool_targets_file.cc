// The YAML file of --targets: taken, or refused with one printable line.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "tests/fuzz/input.h"
#include "tool/client/failure.h"
#include "tool/client/target.h"

using namespace tenants;
using namespace tenants::tool;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("targets", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  try {
    for (const Target& target : read_targets(path))
      require(!target.address.socket.empty() || (target.address.port >= 1 && target.address.port <= 65535));
  } catch (const Failure& failure) {
    require(std::ranges::all_of(std::string_view(failure.what()), [](char c) { return c >= ' ' && c <= '~'; }));
  }
  return 0;
}
