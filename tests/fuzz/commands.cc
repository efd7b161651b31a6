// The table of command names against a plain map.
#include "module/accounting/commands.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

constexpr std::string_view kLetters = "aAbB@`[{|\0\xff-";
constexpr std::size_t kLongest = 64;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

std::string name(Input& input) {
  return input.ConsumeBool() ? word(input, kLetters, 12) : input.ConsumeRandomLengthString(kLongest + 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  CommandTable table;
  std::map<std::string, int> arities;
  std::map<std::string, std::uint16_t> numbers;
  while (input.remaining_bytes()) {
    std::string called = name(input), key = lower(called);
    switch (input.ConsumeIntegralInRange(0, 3)) {
      case 0: {
        int arity = input.ConsumeIntegralInRange(-9, 9);
        table.add(called, Kind::kOther, arity, 0);
        if (!called.empty() && called.size() <= kLongest) arities[key] = arity;
        break;
      }
      case 1: {
        std::size_t bar = called.find('|');
        const CommandEntry* entry = table.find(called);
        require((entry != nullptr) == arities.contains(key));
        if (bar != std::string::npos) require(table.find(called.substr(0, bar), called.substr(bar + 1)) == entry);
        if (!entry) break;
        require(entry->arity == arities[key] && lower(table.name(*entry)) == key);
        std::uint16_t number = table.number_of(*entry);
        require(numbers.emplace(table.name(*entry), number).first->second == number);  // for ever
        break;
      }
      case 2:
        if (input.ConsumeIntegralInRange(0, 50) == 0) table.clear(), arities.clear();
        break;
      case 3:  // more than it began with
        for (int i = 0; i < 600 && arities.size() < 5000; ++i) {
          std::string more = "more" + std::to_string(arities.size());
          table.add(more, Kind::kRead, 1, 0), arities[more] = 1;
        }
        break;
    }
    require(table.size() == arities.size());
  }
  return 0;
}
