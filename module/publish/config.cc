#include "module/hooks/hooks.h"
#include "module/publish/publish.h"

namespace tenants {

using server_api::api;
using server_api::String;

namespace {

Settings* settings_in_use = nullptr;
bool rewrites_badly = false;   // CONFIG REWRITE writes what the server itself cannot read any more
String* shown_text = nullptr;  // the server takes no reference of its own: kept until the next call

void use_separators(Module& module) {
  if (module.prefixes.separators() == module.settings.separators) return;
  module.prefixes.set_separators(module.settings.separators);
  keys_moved(module);
}

void use(const TextSetting& setting, Module& module) {
  if (setting.value == &Settings::separators) return use_separators(module);
  if (setting.value == &Settings::prefixes) return use_named_prefixes(module);
  module.tallies.regroup(module, module.settings.groups);
}

long long get_number(const char*, void* data) {
  return settings_in_use->*static_cast<const NumberSetting*>(data)->value;
}

int set_number(const char*, long long value, void* data, String** error) noexcept {
  auto setting = static_cast<const NumberSetting*>(data)->value;
  // Not registered as immutable: the server would refuse its own value, too, and with it a CONFIG SET of all there is.
  if (module_state && !static_cast<const NumberSetting*>(data)->at_run_time && settings_in_use->*setting != value) {
    static constexpr std::string_view kReason = "it can only be set when the module is loaded";
    *error = api.CreateString(nullptr, kReason.data(), kReason.size());
    return server_api::kErr;
  }
  settings_in_use->*setting = value;
  if (module_state) module_state->sweep.want_another();  // a pass by the new settings
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

String* get_text(const char*, void* data) noexcept {
  free_configuration();
  const std::string& text = settings_in_use->*static_cast<const TextSetting*>(data)->value;
  shown_text = api.CreateString(nullptr, text.data(), text.size());
  return shown_text;
}

std::optional<std::string> wrong_text(const TextSetting& setting, std::string_view text) {
  if (rewrites_badly && text.find_first_of("\"\\") != std::string_view::npos)
    return std::string(
               "on this server's version \" and \\ are not allowed, for CONFIG REWRITE would write what it can not "
               "read") +
           (setting.value == &Settings::separators ? "" : "; write %22 and %5C");
  return setting.wrong(text);
}

// Where it fails the server sets the value from before, as long as the one that it reads is another.
int set_text(const char*, String* value, void* data, String** error) noexcept {
  const TextSetting& setting = *static_cast<const TextSetting*>(data);
  std::string_view text = server_api::view(value);
  try {
    std::optional<std::string> wrong = wrong_text(setting, text);
    if (!wrong) {
      settings_in_use->*setting.value = text;
      if (module_state) use(setting, *module_state);
      return server_api::kOk;
    }
    *error = api.CreateString(nullptr, wrong->data(), wrong->size());
  } catch (...) {
    static constexpr std::string_view kReason = "out of memory";
    *error = api.CreateString(nullptr, kReason.data(), kReason.size());
  }
  return server_api::kErr;
}

}  // namespace

std::optional<std::string> read_arguments(String** argv, int argc, const server_api::Server& server,
                                          Settings& settings) {
  rewrites_badly = server.valkey_at_least(8, 1) && !server.valkey_at_least(9, 0);
  std::vector<std::string_view> words;
  words.reserve(static_cast<std::size_t>(argc));
  for (int i = 0; i < argc; ++i) words.push_back(server_api::view(argv[i]));
  std::optional<std::string> wrong = read_arguments(words, settings);
  for (const TextSetting& text : text_settings())
    if (!wrong)
      if ((wrong = wrong_text(text, settings.*text.value)))
        wrong = std::string("bad value for argument '") + text.name + "': " + *wrong;
  return wrong;
}

void free_configuration() {
  if (shown_text) api.FreeString(nullptr, shown_text);
  shown_text = nullptr;
}

void use_settings(Settings& settings) { settings_in_use = &settings; }

bool register_configuration(server_api::Context* context, Settings& settings) {
  use_settings(settings);
  for (const NumberSetting& number : number_settings()) {
    if (api.RegisterNumericConfig(context, number.name, settings.*number.value, server_api::kConfigDefault, number.min,
                                  number.max, get_number, set_number, nullptr,
                                  const_cast<NumberSetting*>(&number)) != server_api::kOk)
      return false;
  }
  for (const TextSetting& text : text_settings()) {
    std::string value = settings.*text.value;
    if (api.RegisterStringConfig(context, text.name, value.c_str(), server_api::kConfigDefault, get_text, set_text,
                                 nullptr, const_cast<TextSetting*>(&text)) != server_api::kOk)
      return false;
  }
  return api.LoadConfigs(context) == server_api::kOk;
}

}  // namespace tenants
