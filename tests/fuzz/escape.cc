// The escape of names: both ways, and nothing in it that could forge a line.
#include "module/accounting/escape.h"

#include "tests/fuzz/input.h"

using namespace tenants;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string text = escape(bytes);
  for (char byte : text)
    require(byte > ' ' && byte <= '~' && std::string_view(":=,#\"\\(").find(byte) == std::string::npos);
  require(unescape(text) == bytes);
  if (auto name = unescape(bytes)) require(escape(*name) == bytes);
  return 0;
}
