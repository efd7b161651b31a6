#include <algorithm>
#include <charconv>

#include "module/publish/publish.h"

namespace tenants {

using server_api::api;
using server_api::String;

namespace {

struct Number {
  const char* name;
  long long Settings::*value;
  long long min, max;
  bool at_run_time;
};

constexpr Number kNumbers[] = {
    {"max-users", &Settings::max_users, 16, 1'000'000, false},
    {"max-prefixes", &Settings::max_prefixes, 16, 1'000'000, false},
    {"sweep-cpu-percent", &Settings::sweep_cpu_percent, 0, 50, true},
    {"target-error", &Settings::target_error, 0, 50, true},
    {"sweep-interval", &Settings::sweep_interval, 0, 86'400, true},
    {"slice-usec", &Settings::slice_usec, 20, 10'000, true},
    {"info-rows", &Settings::info_rows, 0, 10'000, true},
    {"cpu-sampling-hz", &Settings::cpu_sampling_hz, 0, 1'000, true},
    {"bytes-interval", &Settings::bytes_interval, 0, 60'000, true},
};
constexpr const char* kSeparatorsRule = "separators must be 1 to 8 different printable ASCII characters";

Settings* settings_in_use = nullptr;
String* shown_separators = nullptr;  // the server takes no reference of its own: kept until the next call

bool separators_allowed(std::string_view text) {
  if (text.empty() || text.size() > 8) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] <= ' ' || text[i] > '~' || text.find(text[i], i + 1) != std::string_view::npos) return false;
  return true;
}

long long get_number(const char*, void* data) { return settings_in_use->*static_cast<const Number*>(data)->value; }

int set_number(const char*, long long value, void* data, String** error) noexcept {
  auto setting = static_cast<const Number*>(data)->value;
  settings_in_use->*setting = value;
  if (module_state && setting == &Settings::cpu_sampling_hz) {
    module_state->cpu.stop();
    if (value > 0 && !module_state->cpu.start(static_cast<unsigned>(value))) {
      settings_in_use->*setting = 0;
      static constexpr std::string_view kReason = "the system gives no thread or no timer for it: it is 0 now";
      *error = api.CreateString(nullptr, kReason.data(), kReason.size());
      return server_api::kErr;
    }
  }
  return server_api::kOk;
}

String* get_separators(const char*, void*) noexcept {
  free_configuration();
  shown_separators = api.CreateString(nullptr, settings_in_use->separators.data(), settings_in_use->separators.size());
  return shown_separators;
}

int set_separators(const char*, String* value, void*, String** error) noexcept {
  std::string_view text = server_api::view(value);
  if (!separators_allowed(text)) {
    std::string_view rule = kSeparatorsRule;
    *error = api.CreateString(nullptr, rule.data(), rule.size());
    return server_api::kErr;
  }
  settings_in_use->separators = text;
  if (module_state && module_state->prefixes.separators() != text) {
    module_state->prefixes.set_separators(std::string(text));
    module_state->keyspace.request_seeding(false);
  }
  return server_api::kOk;
}

}  // namespace

std::optional<std::string> read_arguments(String** argv, int argc, Settings& settings) {
  for (int i = 0; i < argc; i += 2) {
    std::string name(server_api::view(argv[i]));
    std::string_view bare = name;
    if (bare.starts_with("tenants.")) bare.remove_prefix(8);
    const Number* number =
        std::find_if(std::begin(kNumbers), std::end(kNumbers), [&](const Number& n) { return bare == n.name; });
    if (number == std::end(kNumbers) && bare != "separators") {
      std::string why = "unknown argument '";
      why.append(name).append("', allowed are separators");
      for (const Number& n : kNumbers) why.append(", ").append(n.name);
      return why;
    }
    if (i + 1 == argc) return "argument '" + name + "' has no value";
    std::string_view text = server_api::view(argv[i + 1]);
    if (bare == "separators") {
      if (!separators_allowed(text)) return std::string(kSeparatorsRule);
      settings.separators = text;
      continue;
    }
    long long value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < number->min || value > number->max)
      return "bad value for argument '" + name + "', allowed is " + std::to_string(number->min) + " to " +
             std::to_string(number->max);
    settings.*number->value = value;
  }
  return std::nullopt;
}

void free_configuration() {
  if (shown_separators) api.FreeString(nullptr, shown_separators);
  shown_separators = nullptr;
}

void use_settings(Settings& settings) { settings_in_use = &settings; }

bool register_configuration(server_api::Context* context, Settings& settings) {
  use_settings(settings);
  for (const Number& number : kNumbers) {
    unsigned flags = number.at_run_time ? server_api::kConfigDefault : server_api::kConfigImmutable;
    if (api.RegisterNumericConfig(context, number.name, settings.*number.value, flags, number.min, number.max,
                                  get_number, set_number, nullptr, const_cast<Number*>(&number)) != server_api::kOk)
      return false;
  }
  std::string separators = settings.separators;
  return api.RegisterStringConfig(context, "separators", separators.c_str(), server_api::kConfigDefault, get_separators,
                                  set_separators, nullptr, nullptr) == server_api::kOk &&
         api.LoadConfigs(context) == server_api::kOk;
}

}  // namespace tenants
