// One line to stderr per event, in logfmt: time=… level=info msg="node is up" node=10.0.0.3:6379
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tenants::tool {

enum class Level : std::uint8_t { kInfo, kWarning, kError };

// From any thread. Values are quoted where they have to be; control bytes never reach the terminal.
void log(Level level, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string>> fields = {});

}  // namespace tenants::tool
