#include "module/accounting/settings.h"

#include <algorithm>

#include "module/accounting/escape.h"
#include "module/accounting/groups.h"
#include "module/accounting/named_prefixes.h"
#include "module/accounting/number.h"

namespace tenants {

namespace {

constexpr NumberSetting kNumbers[] = {
    {"max-users", &Settings::max_users, 16, 1'000'000, false},
    {"max-prefixes", &Settings::max_prefixes, 16, 1'000'000, false},
    {"sweep-cpu-percent", &Settings::sweep_cpu_percent, 0, 50, true},
    {"burst-cpu-percent", &Settings::burst_cpu_percent, 0, 50, true},
    {"target-error", &Settings::target_error, 0, 50, true},
    {"sweep-interval", &Settings::sweep_interval, 0, 86'400, true},
    {"slice-usec", &Settings::slice_usec, 20, 10'000, true},
    {"info-rows", &Settings::info_rows, 0, 10'000, true},
    {"cpu-sampling-hz", &Settings::cpu_sampling_hz, 0, 1'000, true},
    {"bytes-interval", &Settings::bytes_interval, 0, 60'000, true},
};

std::optional<std::string> wrong_separators(std::string_view text) {
  bool good = !text.empty() && text.size() <= 8;
  for (std::size_t i = 0; i < text.size(); ++i)
    good &= text[i] > ' ' && text[i] <= '~' && text.find(text[i], i + 1) == std::string_view::npos;
  if (good) return std::nullopt;
  return "separators must be 1 to 8 different printable ASCII characters";
}

std::optional<std::string> wrong_prefixes(std::string_view text) { return NamedPrefixes().set(text); }
std::optional<std::string> wrong_groups(std::string_view text) { return Groups().set(text); }

constexpr TextSetting kTexts[] = {
    {"separators", &Settings::separators, wrong_separators},
    {"prefixes", &Settings::prefixes, wrong_prefixes},
    {"groups", &Settings::groups, wrong_groups},
};

}  // namespace

std::span<const NumberSetting> number_settings() { return kNumbers; }
std::span<const TextSetting> text_settings() { return kTexts; }

std::optional<std::string> read_arguments(std::span<const std::string_view> words, Settings& settings) {
  for (std::size_t i = 0; i < words.size(); i += 2) {
    std::string_view bare = words[i];
    if (bare.starts_with("tenants.")) bare.remove_prefix(8);
    const NumberSetting* number = std::ranges::find(kNumbers, bare, &NumberSetting::name);
    const TextSetting* text_setting = std::ranges::find(kTexts, bare, &TextSetting::name);
    std::string name = "argument '" + escape(words[i].substr(0, 100)) + "'";
    if (number == std::end(kNumbers) && text_setting == std::end(kTexts)) {
      std::string why = "unknown " + name + ", allowed are ";
      for (const TextSetting& t : kTexts) why.append(t.name).append(", ");
      for (const NumberSetting& n : kNumbers) why.append(&n == kNumbers ? "" : ", ").append(n.name);
      return why;
    }
    if (i + 1 == words.size()) return name + " has no value";
    std::string_view text = words[i + 1];
    if (text_setting != std::end(kTexts)) {
      if (auto wrong = text_setting->wrong(text)) return "bad value for " + name + ": " + *wrong;
      settings.*text_setting->value = text;
      continue;
    }
    auto value = number_in<long long>(text);
    if (!value || *value < number->min || *value > number->max)
      return "bad value for " + name + ", allowed is " + std::to_string(number->min) + " to " +
             std::to_string(number->max);
    settings.*number->value = *value;
  }
  return std::nullopt;
}

}  // namespace tenants
