// Patterns against their definition: a list of elements, and recursion.
#include "module/accounting/glob.h"

#include <bitset>
#include <vector>

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

struct Element {
  bool star = false;
  std::bitset<256> bytes;  // one of these
};

unsigned char byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

// From the [ at `at`; moves `at` to the ] or the end.
std::bitset<256> bracket(std::string_view pattern, std::size_t& at) {
  std::bitset<256> bytes;
  bool negated = ++at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  for (; at < pattern.size() && pattern[at] != ']'; ++at) {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      bytes.set(byte_at(pattern, ++at));
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      unsigned char low = byte_at(pattern, at), high = byte_at(pattern, at += 2);
      for (unsigned byte = std::min(low, high); byte <= std::max(low, high); ++byte) bytes.set(byte);
    } else {
      bytes.set(byte_at(pattern, at));
    }
  }
  return negated ? ~bytes : bytes;
}

std::vector<Element> elements(std::string_view pattern) {
  std::vector<Element> list;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    Element& element = list.emplace_back();
    if (pattern[at] == '*') {
      element.star = true;
    } else if (pattern[at] == '?') {
      element.bytes.set();
    } else if (pattern[at] == '[') {
      element.bytes = bracket(pattern, at);
    } else {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      element.bytes.set(byte_at(pattern, at));
    }
  }
  return list;
}

bool slowly(const std::vector<Element>& elements, std::size_t next, std::string_view text) {
  if (next == elements.size()) return text.empty();
  if (elements[next].star)
    return slowly(elements, next + 1, text) || (!text.empty() && slowly(elements, next, text.substr(1)));
  return !text.empty() && elements[next].bytes[byte_at(text, 0)] && slowly(elements, next + 1, text.substr(1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  bool any = input.ConsumeBool();
  std::string text = any ? input.ConsumeRandomLengthString(10) : word(input, "abc]-\\", 8);
  std::string pattern = any ? input.ConsumeRandomLengthString(16) : word(input, "abc*?[]^-\\", 12);
  require(matches(pattern, text) == slowly(elements(pattern), 0, text));
  matches(input.ConsumeRandomLengthString(300), std::string(200, 'a'));  // ends
  return 0;
}
