// A page of rows as text, of any bytes: what is written by RFC 4180 is read as it was; anything else is refused or
// read, and ends nothing.
#include "tests/fuzz/input.h"
#include "tool/client/failure.h"
#include "tool/snapshot/page.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

std::string quoted(const std::string& text) {
  std::string field = "\"";
  for (char byte : text) field.append(byte == '"' ? 2 : 1, byte);
  return field + "\"";
}

void any_bytes(Input& input) {
  constexpr const char* kWords[] = {
      "name",  "kind", "owner", "tenant", "keys", "bytes", "coverage", "0.95",
      "1.000", ",",    "\n",    "\"",     "\"\"", "\r\n",  "(other)",  "18446744073709551615"};
  std::string text = input.ConsumeBool() ? "name,kind,owner,keys,coverage\n" : "";
  text += text_of_words(input, kWords);
  for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes}) {
    try {
      read_page(table, text);
    } catch (const Failure&) {
    }
  }
}

void rows(Input& input) {
  std::string text = "keys,name,nonsense,kind,owner\n";
  std::vector<std::pair<std::string, std::string>> names;
  std::vector<std::uint64_t> keys;
  while (input.remaining_bytes()) {
    names.emplace_back(input.ConsumeRandomLengthString(16), input.ConsumeRandomLengthString(16));
    keys.push_back(input.ConsumeIntegral<std::uint64_t>());
    text += std::to_string(keys.back()) + "," + quoted(names.back().first) + "," + quoted(names.back().second) +
            ",prefix," + quoted(names.back().second) + "\n";
  }
  std::vector<Row> read = read_page(Table::kPrefixes, text);
  require(read.size() == names.size());
  for (std::size_t i = 0; i < read.size(); ++i)
    require(read[i].name == names[i].first && read[i].owner == names[i].second &&
            read[i].values[prefix_column::kKeys] == keys[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  input.ConsumeBool() ? any_bytes(input) : rows(input);
  return 0;
}
