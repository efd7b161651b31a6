// `valkey-tenants exporter`: metrics for Prometheus, and a page for people (docs/exporter.md).
#pragma once

#include "tool/command.h"

namespace tenants::tool {

// Runs until SIGTERM or SIGINT.
Subcommand add_exporter(CLI::App& program, const ConnectionOptions& connection);

}  // namespace tenants::tool
