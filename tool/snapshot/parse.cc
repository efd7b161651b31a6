#include "tool/snapshot/parse.h"

#include <algorithm>
#include <cmath>

#include "module/accounting/number.h"

namespace tenants::tool {

std::uint64_t read_number(const Column& column, std::string_view text) {
  if (column.kind != Column::kShare) return number_in<std::uint64_t>(text).value_or(kAbsent);
  auto value = number_in<double>(text);
  return value && *value >= 0 && *value <= 1 ? static_cast<std::uint64_t>(std::lround(*value * 1000)) : kAbsent;
}

Row read_row(Table table, const Reply& reply) {
  std::span<const Column> all = columns(table);
  Row row;
  std::size_t next = 0;  // columns come in order: mostly it is this one
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    std::string_view field = reply.elements[i].text;
    const Reply& value = reply.elements[i + 1];
    std::size_t column = next;
    if (column >= all.size() || field != all[column].name) {
      column = static_cast<std::size_t>(
          std::ranges::find_if(all, [&](const Column& one) { return field == one.name; }) - all.begin());
    }
    if (column < all.size()) {
      bool integer = value.type == Reply::Type::kInteger;
      row.values[column] = read_number(all[column], integer ? std::to_string(value.integer) : std::string(value.text));
      next = column + 1;
    } else if (field == "name") {
      row.name = value.text;
    } else if (field == "kind") {
      row.kind = kind_of(value.text);
    } else if (field == "owner" || field == "tenant") {
      row.owner = value.text;
    }
  }
  if (is_own(row.kind)) row.name = std::string("(") + kind_name(row.kind) + ")";  // never the server's words
  return row;
}

void read_status(const Reply& reply, Node& node) {
  check(reply);
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const Reply& value = reply.elements[i + 1];
    node.status.emplace(reply.elements[i].text,
                        value.type == Reply::Type::kInteger ? std::to_string(value.integer) : std::string(value.text));
  }
  node.used_memory = node.status_number("server_memory_bytes");
}

void read_info(std::string_view text, Node& node) {
  auto field = [&](std::string_view name) {
    std::size_t at = text.find("\n" + std::string(name) + ":");
    if (at == std::string_view::npos) return std::string();
    std::size_t from = at + name.size() + 2, to = text.find_first_of("\r\n", from);
    return std::string(text.substr(from, to - from));
  };
  std::string role = field("role");
  node.role = role == "master" ? Role::kPrimary : role == "slave" ? Role::kReplica : Role::kUnknown;
  node.replication_id = field("master_replid");
  node.previous_replication_id = field("master_replid2");
  node.replication_offset = read_number({"master_repl_offset", Column::kMost}, field("master_repl_offset"));
  node.run_id = field("run_id");
  std::uint64_t bytes = read_number({"maxmemory", Column::kMost}, field("maxmemory"));
  node.max_memory = bytes ? bytes : kAbsent;
}

}  // namespace tenants::tool
