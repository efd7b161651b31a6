// What we say: INFO, TENANTS.* and the configuration.
#pragma once

#include <utility>
#include <vector>

#include "module/publish/rows.h"

namespace tenants {

// info.cc
void on_info(server_api::InfoContext* info, int for_crash_report) noexcept;

// status.cc
// The fields of "# tenants_status" in order, out of the last tally. O(1).
std::vector<std::pair<std::string_view, std::string>> status(Module& module, const std::optional<MemoryUse>& memory);

// commands.cc
// Why they can't be had, nullptr if all of them are there.
const char* register_commands(server_api::Context* context);

// config.cc
// Reads loadmodule's arguments into `settings`; what is wrong with them, or nothing.
std::optional<std::string> read_arguments(server_api::String** argv, int argc, const server_api::Server& server,
                                          Settings& settings);
bool register_configuration(server_api::Context* context, Settings& settings);
// From now on changes go to the module's own settings.
void use_settings(Settings& settings);
// What a reading of the configuration left behind; on unload.
void free_configuration();

}  // namespace tenants
