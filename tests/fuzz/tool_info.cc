// INFO of a server, of any bytes: what the tool reads of it is what the first line with the field says.
#include <charconv>

#include "tests/fuzz/input.h"
#include "tool/snapshot/parse.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

// By lines: "" where no line but the first has it.
std::string field(std::string_view text, const std::string& name) {
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    text.remove_prefix(end + 1);
    std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    if (line.starts_with(name + ":")) return std::string(line.substr(name.size() + 1));
  }
  return {};
}

constexpr const char* kWords[] = {
    "role:",    "maxmemory:", "master_replid:",       "master_replid2:",      "master", "slave", "\r\n", "\n", "\r",
    "# Memory", "0",          "18446744073709551615", "18446744073709551616", "1gb",    ":"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  std::string text = text_of_words(input, kWords);
  Node node;
  read_info(text, node);
  std::string role = field(text, "role"), most = field(text, "maxmemory");
  require(node.role == (role == "master" ? Role::kPrimary : role == "slave" ? Role::kReplica : Role::kUnknown));
  require(node.replication_id == field(text, "master_replid"));
  require(node.previous_replication_id == field(text, "master_replid2"));
  std::uint64_t bytes = 0;
  auto [end, error] = std::from_chars(most.data(), most.data() + most.size(), bytes);
  bool number = error == std::errc() && end == most.data() + most.size() && bytes > 0;
  require(node.max_memory == (number ? bytes : kAbsent));
  return 0;
}
