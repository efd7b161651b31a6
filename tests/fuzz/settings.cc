// loadmodule's arguments, and the settings that are texts: what is taken lies within its limits and says the same when
// it is read again, what is refused is refused with one printable line.
#include "module/accounting/settings.h"

#include <algorithm>
#include <vector>

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

constexpr const char* kWords[] = {"max-users",
                                  "tenants.max-prefixes",
                                  "sweep-cpu-percent",
                                  "slice-usec",
                                  "separators",
                                  "groups",
                                  "prefixes",
                                  "tenants.groups",
                                  "tenants.tenants.groups",
                                  "0",
                                  "16",
                                  "50",
                                  "1000000",
                                  "1000001",
                                  "-1",
                                  "+5",
                                  "5 ",
                                  "0x10",
                                  "9223372036854775808",
                                  ":",
                                  "/|",
                                  "a=b",
                                  "a=~b:"};

std::string one_word(Input& input) {
  return input.ConsumeBool() ? input.PickValueInArray(kWords) : input.ConsumeRandomLengthString(20);
}

bool is_one_line(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// The settings as arguments.
std::vector<std::string> written(const Settings& settings) {
  std::vector<std::string> words;
  for (const NumberSetting& number : number_settings()) {
    long long value = settings.*number.value;
    require(value >= number.min && value <= number.max);
    words.insert(words.end(), {number.name, std::to_string(value)});
  }
  for (const TextSetting& text : text_settings())
    words.insert(words.end(), {"tenants." + std::string(text.name), settings.*text.value});
  return words;
}

std::optional<std::string> read(const std::vector<std::string>& words, Settings& settings) {
  return read_arguments(std::vector<std::string_view>(words.begin(), words.end()), settings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  std::vector<std::string> words;
  while (input.remaining_bytes()) words.push_back(one_word(input));
  Settings settings;
  if (auto wrong = read(words, settings)) {
    require(is_one_line(*wrong));
    written(settings);  // still within its limits
    return 0;
  }
  require(words.size() % 2 == 0);
  require(!settings.separators.empty() && settings.separators.size() <= 8);
  std::vector<std::string> once = written(settings);
  Settings again;
  require(!read(once, again));
  require(written(again) == once);
  for (const TextSetting& text : text_settings()) {
    std::string value = words.empty() ? "" : words.back();
    if (auto wrong = text.wrong(value)) require(is_one_line(*wrong) && read({text.name, value}, again).has_value());
  }
  return 0;
}
