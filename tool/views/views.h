// What the operator can look at; each is one subcommand (tool/command.h).
#pragma once

#include "tool/command.h"
#include "tool/snapshot/columns.h"

namespace tenants::tool {

// The positional "what": tenants, users or prefixes. `table` must live as long as `app`.
void add_table(CLI::App& app, Table& table);

Subcommand add_list(CLI::App& program, const ConnectionOptions& connection);
Subcommand add_show(CLI::App& program, const ConnectionOptions& connection);
Subcommand add_top(CLI::App& program, const ConnectionOptions& connection);
Subcommand add_check(CLI::App& program, const ConnectionOptions& connection);
// What `check` says and returns where it could not look: plug-ins have words and codes of their own.
int fail_check(const Failure& failure);
Subcommand add_completion(CLI::App& program);
// For shells and the build; in no help.
Subcommand add_names(CLI::App& program, const ConnectionOptions& connection);
Subcommand add_manual(CLI::App& program);

}  // namespace tenants::tool
