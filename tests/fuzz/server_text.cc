// INFO and CLIENT LIST, of any bytes: what the module reads of them is what a reading by lines and words says.
#include "module/accounting/server_text.h"

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts{""};
  for (char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::optional<std::uint64_t> leading_number(const std::string& text) {
  std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    auto digit = static_cast<std::uint64_t>(text[i] - '0');
    if (value > (~std::uint64_t{0} - digit) / 10) return std::nullopt;
    value = 10 * value + digit;
  }
  return digits ? std::optional(value) : std::nullopt;
}

// Of the first part that begins with the field.
std::string value(const std::string& text, const std::string& start, char at) {
  for (const std::string& part : split(text, at))
    if (part.starts_with(start)) return part.substr(start.size());
  return "";
}

constexpr const char* kWords[] = {"used_memory:",
                                  "used_memory",
                                  "# Keyspace",
                                  "\ndb",
                                  "db0",
                                  ":keys=",
                                  "keys=",
                                  ",expires=1",
                                  "\r\n",
                                  "\n",
                                  " ",
                                  "id=",
                                  "flags=",
                                  "flags=N",
                                  "user=app1",
                                  "=",
                                  ":",
                                  "-",
                                  "0",
                                  "0-5461",
                                  "16383",
                                  "16384",
                                  "18446744073709551615",
                                  "18446744073709551616"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  std::string text = text_of_words(input, kWords);

  for (const char* field : {"used_memory", "db0", "keys"})
    require(info_number(text, field) == leading_number(value(text, std::string(field) + ":", '\n')));

  DatabaseSizes sizes;
  std::vector<std::string> lines = split(text, '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::size_t keys = lines[i].find(":keys=");
    if (!lines[i].starts_with("db") || keys == std::string::npos) continue;
    auto db = leading_number(lines[i].substr(2)), count = leading_number(lines[i].substr(keys + 6));
    if (db && count && *count) sizes.insert_or_assign(static_cast<int>(*db), *count);
  }
  require(info_databases(text) == sizes);

  std::vector<SlotRange> ranges = slot_ranges(text), expected;
  for (const std::string& word : split(text, ' ')) {
    std::size_t hyphen = word.find('-');
    if (hyphen == std::string::npos) continue;
    auto first = leading_number(word), last = leading_number(word.substr(hyphen + 1));
    if (first && last && *first <= *last && *last <= 16383)
      expected.push_back({static_cast<int>(*first), static_cast<int>(*last)});
  }
  require(std::ranges::equal(ranges, expected, [](auto a, auto b) { return a.first == b.first && a.last == b.last; }));

  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::size_t number = 0;
  for_each_client(text, [&](const ClientLine& line) {
    require(number < lines.size());
    const std::string& own = lines[number++];
    for (const char* field : {"id", "flags", "user"}) {
      std::string shown = value(own, std::string(field) + "=", ' ');
      require(line.value(field) == shown && line.number(field) == leading_number(shown));
    }
    require(line.has_flag('N') == (value(own, "flags=", ' ').find('N') != std::string::npos));
  });
  require(number == lines.size());
  return 0;
}
