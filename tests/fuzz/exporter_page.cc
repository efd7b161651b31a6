// What the exporter writes of names, addresses and settings of any bytes: none of them becomes markup, a label, a line
// or a field of its own.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/fuzz/input.h"
#include "tool/exporter/metrics.h"
#include "tool/web/download.h"
#include "tool/web/page.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

std::string name(Input& input) {
  return input.ConsumeBool() ? word(input, "<>\"'&{}\\=,%(:-\n\r\t a\xff", 6) : input.ConsumeRandomLengthString(12);
}

Row row(Input& input) {
  static constexpr Kind kKinds[] = {Kind::kTenant, Kind::kGone, Kind::kPrefix, Kind::kKey, Kind::kUnknown};
  Row row{.name = name(input), .kind = input.PickValueInArray(kKinds), .owner = name(input)};
  for (std::uint64_t& value : row.values)
    if (input.ConsumeBool()) value = input.ConsumeIntegral<std::uint64_t>();
  return row;
}

std::shared_ptr<Reading> reading(Input& input) {
  auto reading = std::make_shared<Reading>();
  reading->number = 1;
  for (int nodes = input.ConsumeIntegralInRange(1, 2); nodes > 0; --nodes) {
    Node& node = reading->snapshot.nodes.emplace_back();
    node.address = std::to_string(nodes) + name(input), node.id = node.address;
    node.up = true, node.role = Role::kPrimary;
    for (const char* field : {"server", "version", "keys_mode", "sweep_state", "drift"})
      node.status[field] = name(input);
    for (Table table : {Table::kTenants, Table::kPrefixes})
      for (int rows = input.ConsumeIntegralInRange(0, 3); rows > 0; --rows) node.rows(table).push_back(row(input));
  }
  mark_data_sources(reading->snapshot);
  return reading;
}

// The same with names that mean nothing to anybody, and as different from each other as before.
std::shared_ptr<Reading> harmless(const Reading& of) {
  auto reading = std::make_shared<Reading>(of);
  std::map<std::string, std::string> names;
  auto rename = [&](std::string& name) {
    name = names.try_emplace(name, "n" + std::to_string(names.size())).first->second;
  };
  for (Node& node : reading->snapshot.nodes) {
    rename(node.address);
    for (auto& [field, text] : node.status)
      if (text.find_first_not_of("0123456789") != std::string::npos) text = "x";
    for (auto& rows : node.tables)
      for (Row& row : rows) {
        rename(row.name);
        if (!row.owner.empty()) rename(row.owner);
      }
  }
  return reading;
}

// How often each byte is there that means something.
std::vector<long> marks(const std::string& text, std::string_view meaning) {
  std::vector<long> counts;
  for (char c : meaning) counts.push_back(std::ranges::count(text, c));
  return counts;
}

std::string metrics(const SharedReading& reading) {
  Selection tenants(Table::kTenants, 100), prefixes(Table::kPrefixes, 100);
  return metrics_text(reading, tenants, &prefixes, 0);
}

void check_lines(const std::string& text) {
  require(std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; }));
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    require(line.starts_with("# HELP valkey_tenant_") || line.starts_with("# TYPE valkey_tenant_") ||
            line.starts_with("valkey_tenant_"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  auto what = input.ConsumeIntegralInRange(0, 3);
  Table table = input.ConsumeBool() ? Table::kTenants : Table::kPrefixes;
  std::string search = input.ConsumeRandomLengthString(8);
  SharedReading hostile = reading(input), same = harmless(*hostile);
  if (what == 0) {
    std::string text = metrics(hostile);
    check_lines(text);
    require(marks(text, "\n") == marks(metrics(same), "\n"));
    return 0;
  }
  web::Request request{.table = table, .sort = &web::page_columns(table)[2]};
  if (what == 1) {
    web::Request nothing = request;
    request.search = search, nothing.search = "nothing\x01";
    web::View found = web::view(same, nullptr, request);
    if (found.lines.empty() && !search.empty())
      require(marks(web::page(found, request), "<>\"") ==
              marks(web::page(web::view(same, nullptr, nothing), nothing), "<>\""));
    return 0;
  }
  web::View one = web::view(hostile, nullptr, request), other = web::view(same, nullptr, request);
  if (what == 2) {
    nlohmann::json parsed = nlohmann::json::parse(web::json(one, request));
    require(parsed["rows"].size() == one.lines.size());
    for (const auto& each : parsed["rows"])
      require(std::ranges::all_of(each["name"].get<std::string>(), [](char c) { return c > ' ' && c <= '~'; }));
  } else if (one.lines.size() == other.lines.size()) {  // two names may be the same tenant's on two nodes
    require(marks(web::page(one, request), "<>\"") == marks(web::page(other, request), "<>\""));
    require(marks(web::csv(one, request), "\r\n\",") == marks(web::csv(other, request), "\r\n\","));
  }
  return 0;
}
