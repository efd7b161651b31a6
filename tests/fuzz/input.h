// What every target uses: the bytes that libFuzzer made up, taken apart, and a check that ends the run.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace tenants {

using Input = FuzzedDataProvider;

// libFuzzer prints the stack, which may not have the line, and keeps the input.
inline void require(bool holds, int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "the check in line %d fails\n", line);
  std::abort();
}

// `letters` in any order: short words that meet each other.
inline std::string word(Input& input, std::string_view letters, std::size_t longest) {
  std::string text(input.ConsumeIntegralInRange<std::size_t>(0, longest), '\0');
  for (char& letter : text) letter = letters[input.ConsumeIntegralInRange<std::size_t>(0, letters.size() - 1)];
  return text;
}

// Of these words and of short ones of any bytes, as long as there is input.
template <std::size_t kSize>
std::string text_of_words(Input& input, const char* const (&words)[kSize]) {
  std::string text;
  while (input.remaining_bytes())
    text += input.ConsumeBool() ? input.PickValueInArray(words) : input.ConsumeRandomLengthString(8);
  return text;
}

}  // namespace tenants
