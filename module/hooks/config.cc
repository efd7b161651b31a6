// The server's own settings that matter to the module.
#include <strings.h>

#include <utility>

#include "module/accounting/named_prefixes.h"
#include "module/accounting/number.h"
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

bool is_slow_log(std::string_view setting) {
  for (std::string_view name : {"slowlog-log-slower-than", "commandlog-execution-slower-than"})
    if (setting.size() == name.size() && strncasecmp(setting.data(), name.data(), name.size()) == 0) return true;
  return false;
}

}  // namespace

void read_slow_log_config(Module& module) {
  if (std::optional<long long> usec = module.ask.slow_log_usec()) module.slow_log.usec = *usec;
}

void note_config_set(Module& module, server_api::FilterContext* context) {
  for (int i = 2; i + 1 < api.CommandFilterArgsCount(context); i += 2) {
    if (!is_slow_log(server_api::view(api.CommandFilterArgGet(context, i)))) continue;
    if (auto usec = number_in<long long>(server_api::view(api.CommandFilterArgGet(context, i + 1))))
      module.slow_log.sent = usec;
  }
}

void on_config_change(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  auto* change = static_cast<server_api::ConfigChange*>(data);
  for (std::uint32_t i = 0; i < change->num_changes; ++i) {
    std::string_view name = change->config_names[i];
    if (name == "requirepass") module_state->identity.ask_for_default();
    if (!is_slow_log(name)) continue;
    SlowLogConfig& config = module_state->slow_log;
    std::optional<long long> sent = std::exchange(config.sent, std::nullopt);
    if (sent && !module_state->in_call)
      config.usec = *sent;
    else
      read_slow_log_config(*module_state);  // one line in the slow log
  }
}

void use_named_prefixes(Module& module) {
  NamedPrefixes wanted;
  wanted.set(module.settings.prefixes);
  std::vector<std::pair<std::uint32_t, bool>> fresh;  // rows, and whether they had left something before
  fresh.reserve(wanted.names().size());
  bool moved = false, lack_room = false;
  auto leave = [&](std::uint32_t row) { moved |= module.prefixes.leave_named(row); };
  try {
    for (auto room = room_from_orphans(module); const std::string& name : wanted.names()) {
      PrefixTable::Entered entered = module.prefixes.enter_named(name, room);
      moved |= entered.moves_keys;
      lack_room |= !entered.row;
      if (entered.is_new) fresh.emplace_back(entered.row, module.prefixes[entered.row].left);
    }
  } catch (...) {  // out of memory: as it was
    for (auto [row, left] : fresh) leave(row), module.prefixes[row].left = left;
    if (moved) keys_moved(module);
    throw;
  }
  for (std::uint32_t row = PrefixTable::kFirst; row < module.prefixes.end(); ++row)
    if (module.prefixes[row].named && !wanted.contains(module.prefixes[row].name)) leave(row);
  if (moved) keys_moved(module);
  module.named_lack_room = lack_room;
}

}  // namespace tenants
