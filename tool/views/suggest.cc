#include "tool/views/suggest.h"

#include <algorithm>
#include <array>

#include "tool/client/printable.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kLongest = 64;

char small(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c); }

// Letters to be changed, added, taken away or swapped with the next.
std::size_t distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kLongest + 1>, 3> rows{};
  auto *before = rows.data(), *last = before + 1, *row = before + 2;
  for (std::size_t j = 0; j <= b.size(); ++j) (*last)[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    (*row)[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      bool same = small(a[i - 1]) == small(b[j - 1]);
      (*row)[j] = std::min({(*last)[j] + 1, (*row)[j - 1] + 1, (*last)[j - 1] + !same});
      bool swapped = i > 1 && j > 1 && small(a[i - 1]) == small(b[j - 2]) && small(a[i - 2]) == small(b[j - 1]);
      if (swapped) (*row)[j] = std::min((*row)[j], (*before)[j - 2] + 1);
    }
    std::swap(before, last), std::swap(last, row);
  }
  return (*last)[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view typed, std::span<const std::string> words) {
  std::optional<std::string> best;
  if (typed.size() > kLongest) return best;
  std::size_t least = std::max<std::size_t>(typed.size() / 3, 1) + 1;
  for (const std::string& word : words) {
    if (word.size() > kLongest || word.size() + least <= typed.size() || typed.size() + least <= word.size()) continue;
    std::size_t far = distance(typed, word);
    if (far < least && far < std::max(typed.size(), word.size())) least = far, best = word;
  }
  return best;
}

std::string did_you_mean(std::string_view typed, std::span<const std::string> words) {
  std::optional<std::string> word = nearest(typed, words);
  return word ? ", did you mean " + *word + "?" : "";
}

std::string escape_for_message(std::string_view typed) { return printable(typed, 100); }

}  // namespace tenants::tool
