// What an operator writes for a server: a URI or an address. Refusals are one printable line, and what is taken can be
// written down and read again.
#include <algorithm>

#include "tests/fuzz/input.h"
#include "tool/client/failure.h"
#include "tool/client/target.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

void is_one_line(const Failure& failure) {
  require(std::ranges::all_of(std::string_view(failure.what()), [](char c) { return c >= ' ' && c <= '~'; }));
}

void is_an_address(const Address& address) {
  if (!address.socket.empty()) return;
  require(!address.host.empty() && address.port >= 1 && address.port <= 65535);
  if (address.host.find_first_of("[]") == std::string::npos) require(parse_address(address.text()) == address);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    is_an_address(parse_address(text));
  } catch (const Failure& failure) {
    is_one_line(failure);
  }
  for (const char* scheme : {"", "valkeys://", "unix://"}) {
    Target target;
    try {
      apply_uri(scheme + std::string(text), target);
      is_an_address(target.address);
    } catch (const Failure& failure) {
      is_one_line(failure);
    }
  }
  return 0;
}
