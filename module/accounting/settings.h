// What can be set: defaults, limits, and the reading of what an operator wrote. docs/configuration.md has each.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tenants {

struct Settings {
  long long max_users = 1024;
  long long max_prefixes = 4096;
  long long sweep_cpu_percent = 1;
  long long burst_cpu_percent = 10;
  long long sweep_interval = 60;
  long long target_error = 1;
  long long slice_usec = 100;
  long long info_rows = 100;
  long long cpu_sampling_hz = 250;
  long long bytes_interval = 40;
  std::string separators = ":";
  std::string prefixes;
  std::string groups;
};

struct NumberSetting {
  const char* name;
  long long Settings::*value;
  long long min, max;
  bool at_run_time;
};

struct TextSetting {
  const char* name;
  std::string Settings::*value;
  // What is wrong with the text, or nothing.
  std::optional<std::string> (*wrong)(std::string_view text);
};

std::span<const NumberSetting> number_settings();
std::span<const TextSetting> text_settings();

// Reads names and values in turn, as loadmodule's arguments have them: `max-users`, or `tenants.max-users`, `500`. What
// is wrong with them, as one line of printable ASCII (then some of `settings` may have changed), or nothing.
std::optional<std::string> read_arguments(std::span<const std::string_view> words, Settings& settings);

}  // namespace tenants
