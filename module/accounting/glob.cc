#include "module/accounting/glob.h"

#include <algorithm>

namespace tenants {
namespace {

// Takes one element (a byte, ? or a bracket) off the pattern; does it match `byte`?
bool take_element(std::string_view& pattern, char byte) {
  auto take = [&] {
    char first = pattern[0];
    pattern.remove_prefix(1);
    return first;
  };
  auto take_escaped = [&] {
    if (pattern.size() > 1 && pattern[0] == '\\') take();
    return take();
  };
  if (pattern[0] == '?') return take(), true;
  if (pattern[0] != '[') return take_escaped() == byte;
  take();
  bool negated = !pattern.empty() && pattern[0] == '^', found = false;
  if (negated) take();
  while (!pattern.empty() && pattern[0] != ']') {
    bool range = pattern[0] != '\\' && pattern.size() > 2 && pattern[1] == '-';  // its ends are as they are
    char low = take_escaped(), high = low;
    if (range) {
      take();
      high = take();
    }
    found |= std::min(low, high) <= byte && byte <= std::max(low, high);
  }
  if (!pattern.empty()) take();
  return found != negated;
}

}  // namespace

std::size_t element_size(std::string_view pattern) {
  std::string_view rest = pattern;
  if (rest[0] == '*')
    rest.remove_prefix(1);
  else
    take_element(rest, 0);
  return pattern.size() - rest.size();
}

bool matches(std::string_view pattern, std::string_view text) {
  std::string_view after_star, from_star;  // where to go on if what follows the last star fails
  bool star = false;
  while (true) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      if (pattern.empty()) return true;
      star = true, after_star = pattern, from_star = text;
      continue;
    }
    if (text.empty() && pattern.empty()) return true;
    if (!text.empty() && !pattern.empty() && take_element(pattern, text[0])) {
      text.remove_prefix(1);
      continue;
    }
    if (!star || from_star.empty()) return false;
    from_star.remove_prefix(1);  // the star takes one byte more
    pattern = after_star, text = from_star;
  }
}

}  // namespace tenants
