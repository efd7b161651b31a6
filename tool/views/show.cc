// `show`: all that is known of one tenant.

#include <CLI/CLI.hpp>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/fleet/tenant.h"
#include "tool/views/json.h"
#include "tool/views/output.h"
#include "tool/views/show_text.h"
#include "tool/views/suggest.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

// Who else may write under a prefix, and who reads and writes there.
void add_uses(Json& json, const TenantDetails& details, std::size_t prefix) {
  const Row& row = details.prefixes.rows[prefix];
  auto found = details.uses.find({row.name, row.kind});
  if (found == details.uses.end()) return;
  for (const auto& [user, use] : found->second) {
    if (use.may_write) json["shared_with"].push_back(escape(user));
    if (use.reads || use.writes)
      json["used_by"].push_back({{"name", escape(user)}, {"reads_sampled", use.reads}, {"writes_sampled", use.writes}});
  }
}

Json databases_to_json(const TenantDetails& details) {
  Json all = Json::array();
  for (const auto& [number, database] : details.databases) {
    Json& one = all.emplace_back(Json{{"database", number}});
    for (auto [name, value] :
         {std::pair("keys", database.keys), {"bytes", database.bytes}, {"bytes_error", database.bytes_error}})
      if (value != kAbsent) one[name] = value;
  }
  return all;
}

std::string as_json(const TenantDetails& details) {
  Json json = to_json(Table::kTenants, details.tenant);
  json["complete"] = details.nodes.incomplete().empty();
  for (const Trend& trend : details.trends) {
    Json one{{"window_seconds", trend.window}, {"seconds", trend.seconds}};
    for (std::size_t i = 0; i < columns(Table::kTenants).size(); ++i)
      if (trend.rates[i]) one[columns(Table::kTenants)[i].name + std::string("_per_second")] = *trend.rates[i];
    if (trend.keys_change) one["keys_change"] = *trend.keys_change;
    if (trend.bytes_change) one["bytes_change"] = *trend.bytes_change;
    json["trend"].push_back(std::move(one));
  }
  auto add_rows = [&](const char* name, Table table, const std::vector<Row>& rows) {
    json[name] = Json::array();
    for (const Row& row : rows) json[name].push_back(to_json(table, row));
  };
  // "users" and "prefixes" are the numbers of them
  add_rows("user_rows", Table::kUsers, details.users.rows);
  add_rows("prefix_rows", Table::kPrefixes, details.prefixes.rows);
  for (std::size_t i = 0; i < details.prefixes.rows.size(); ++i) add_uses(json["prefix_rows"][i], details, i);
  if (details.databases_known) json["databases"] = databases_to_json(details);
  json["commands_by_name"] = details.commands;
  json["big_keys"] = Json::array();
  for (const BigKey& key : details.big_keys)
    json["big_keys"].push_back({{"key", escape(key.key)},
                                {"prefix", escape(key.prefix)},
                                {"db", key.db},
                                {"type", key.type},
                                {"bytes", key.bytes},
                                {"node", printable(key.node)}});
  json["slow_commands"] = Json::array();
  for (const SlowCommand& slow : details.slow)
    json["slow_commands"].push_back({{"command", slow.command},
                                     {"cpu_usec", slow.cpu_usec},
                                     {"unix_msec", slow.unix_msec},
                                     {"node", printable(slow.node)}});
  json["nodes"] = nodes_to_json(details.nodes);
  for (std::size_t i = 0; i < details.nodes.nodes.size(); ++i)
    for (const Row& row : details.nodes.nodes[i].rows(Table::kTenants))
      json["nodes"][i]["tenant"] = to_json(Table::kTenants, row);
  return json.dump(1) + "\n";
}

// The failure, with the name that was meant where there is one near it.
Failure nobody(Fleet& fleet, const std::string& name, const Failure& why) {
  std::vector<std::string> names;
  for (const Row& row : sum(fleet.read({}), Table::kTenants).rows) names.push_back(shown_name(row));
  std::string meant = did_you_mean(name, names);
  return meant.empty() ? why : Failure(why.code, "no such tenant " + escape(name) + meant);
}

}  // namespace

Subcommand add_show(CLI::App& program, const ConnectionOptions& connection) {
  struct Options {
    std::string name, format = "text";
    bool raw = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("show", "Show all that is known of one tenant");
  app->footer(
      "  valkey-tenants show app1                           one screen; longer lists without a terminal\n"
      "  valkey-tenants show '(orphans)'                    keys under nobody's prefix, and which they are\n"
      "  valkey-tenants -c -h 10.0.0.1 show app1 -o json    all of it");
  app->add_option("tenant", options->name, "Its name, as list shows it")->required()->type_name("");
  app->add_option("-o,--output", options->format, "text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}).description(""));
  app->add_flag("--bytes", options->raw, "All digits, in base units");
  return {app, [&connection, options] {
            Fleet fleet(chosen_targets(connection), connection.timeout());
            TenantDetails details;
            try {
              // What list shows can be given back; whatever is no such text is meant as it is.
              details = read_tenant(fleet, unescape(options->name).value_or(options->name));
            } catch (const Failure& failure) {
              if (!std::string_view(failure.what()).starts_with("no such tenant")) throw;
              throw nobody(fleet, options->name, failure);
            }
            int code = report_incomplete(details.nodes);
            Room room = options->raw ? Room{} : Room{output_width(), output_lines()};
            write_out(options->format == "json" ? as_json(details) : show_text(details, room, options->raw));
            return code;
          }};
}

}  // namespace tenants::tool
