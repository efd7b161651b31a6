#include "tool/views/rows.h"

#include "module/accounting/glob.h"
#include "tool/views/format.h"

namespace tenants::tool {

std::string heading(Table table, std::size_t column) {
  std::string name = columns(table)[column].name;
  if (name == "bytes_error") return "±";
  if (name == "cpu_usec") return "CPU";
  if (name == "bytes") return "MEMORY";
  if (name == "connections") return "CONNS";
  if (name == "keys_without_ttl") return "NO-TTL";
  if (name == "avg_ttl_msec") return "AVG-TTL";
  if (name == "hits_sampled" || name == "misses_sampled") name.resize(name.find('_'));
  for (char& c : name) c = static_cast<char>(c == '_' ? '-' : c & ~0x20);
  return name;
}

std::string cell(Table table, std::size_t column, const Row& row, bool raw_numbers) {
  if (raw_numbers) {
    std::string text = raw(unit_of(table, column), row.values[column]);
    return text.empty() ? "-" : text;
  }
  bool is_error = std::string_view(columns(table)[column].name) == "bytes_error";
  if (is_error && row.kind == Kind::kOverhead) return "-";  // is no estimate
  if (is_error) return human_error(row.values[column - 1], row.values[column]);
  return human(unit_of(table, column), row.values[column]);
}

bool passes_filter(const std::string& name, const std::string& shown, const std::string& filter) {
  if (filter.find_first_of("*?[") != std::string::npos) return matches(filter, name) || matches(filter, shown);
  return name.find(filter) != std::string::npos || shown.find(filter) != std::string::npos;
}

}  // namespace tenants::tool
