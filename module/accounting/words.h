// Settings that are lists of names, as an operator writes them: words in printable ASCII, names in them with %XX.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "module/accounting/escape.h"

namespace tenants {

inline constexpr const char* kPercentRule = "allowed is %XX with two digits of 0-9A-F";  // where decode_percent() fails

// What is wrong with such a text, or nothing.
inline std::optional<std::string> wrong_words(std::string_view text) {
  if (text.size() > 65536) return "allowed are 65536 bytes";
  for (char byte : text)
    if (byte < ' ' || byte > '~') return "allowed is printable ASCII, other bytes of a name as %XX";
  return std::nullopt;
}

// Takes what comes before the next `separator` off the text.
inline std::string_view take_word(std::string_view& text, char separator) {
  std::size_t end = std::min(text.find(separator), text.size());
  std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

// All of them; each is valid as long as the text.
inline std::vector<std::string_view> words_in(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) words.push_back(take_word(text, ' '));
  return words;
}

// For what is said of it.
inline std::string quoted(std::string_view text) { return "'" + escape(text) + "'"; }

}  // namespace tenants
