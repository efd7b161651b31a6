#include "tool/fleet/window.h"

#include <algorithm>

#include "module/accounting/number.h"
#include "tool/snapshot/page.h"

namespace tenants::tool {

namespace {

// The rows of one reply that are not there yet; false where it has an unknown form.
bool take_in(const Reply& reply, std::size_t most, Window& window) {
  check(reply);  // what is not allowed is not 0
  const Reply* rows = reply.find("tenants");
  if (!reply.find("seconds") || !rows) return false;
  window.seconds = seconds_in(reply);
  window.counted = reply.find("changes_seconds") != nullptr;
  std::vector<std::array<std::optional<long long>, 2>> changes;
  auto take_change = [&](const std::vector<Row>& read, std::string_view column, std::string_view field) {
    changes.resize(read.size());
    auto change = number_in<long long>(field);
    if (column == "keys_change") changes.back()[0] = change;
    if (column == "bytes_change") changes.back()[1] = change;
  };
  std::vector<Row> read = read_page(Table::kTenants, rows->text, take_change);
  changes.resize(read.size());
  window.complete &= read.size() < most;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (!window.places.emplace(shown_name(read[i]), window.rows.size()).second) continue;
    window.rows.push_back(std::move(read[i]));
    window.changes.push_back(changes[i]);
  }
  return true;
}

}  // namespace

double seconds_in(const Reply& window) { return number_in<double>(window.text_of("seconds")).value_or(0); }

std::array<std::optional<long long>, 2> changes_in(const Reply& tenant) {
  auto change = [&](std::string_view name) {
    const Reply* value = tenant.find(name);
    return value && value->type == Reply::Type::kInteger ? std::optional(value->integer) : std::nullopt;
  };
  return {change("keys_change"), change("bytes_change")};
}

const Row* Window::find(const Row& tenant) const {
  auto found = places.find(shown_name(tenant));
  return found == places.end() ? nullptr : &rows[found->second];
}

std::optional<double> Window::rate(const Row& tenant, std::size_t column) const {
  const Row* row = find(tenant);
  if (!row) return complete ? std::optional(0.0) : std::nullopt;
  if (row->values[column] == kAbsent || seconds <= 0) return std::nullopt;
  return static_cast<double>(row->values[column]) / seconds;
}

std::optional<long long> Window::change(const Row& tenant, std::size_t column) const {
  if (!counted) return std::nullopt;
  const Row* row = find(tenant);
  if (!row) return complete ? std::optional(0LL) : std::nullopt;
  return changes[static_cast<std::size_t>(row - rows.data())][column == tenant_column::kBytes];
}

std::vector<std::vector<Window>> read_windows(Fleet& fleet, const std::vector<WindowQuery>& queries, std::size_t rows) {
  std::vector<Command> commands;
  for (const WindowQuery& query : queries)
    for (const std::string& by : query.by)
      commands.push_back({"TENANTS.TOP", "BY", by, "OVER", std::to_string(query.seconds), "COUNT", std::to_string(rows),
                          "FORMAT", "CSV"});
  std::vector<std::vector<Window>> all(queries.size());
  for (const Answer& answer : fleet.ask(commands)) {
    if (!answer.ok()) continue;
    std::size_t reply = 0;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      Window window{.node = answer.node, .complete = true};
      bool taken = true;
      for (std::size_t k = 0; k < queries[i].by.size(); ++k) taken &= take_in(answer.replies[reply++], rows, window);
      if (taken) all[i].push_back(std::move(window));
    }
  }
  return all;
}

std::optional<long long> change_of(const std::vector<Window>& windows, const Snapshot& snapshot, const Row& tenant,
                                   std::size_t column) {
  if (tenant.kind == Kind::kOverhead || tenant.values[column] == kAbsent) return std::nullopt;
  long long sum = 0;
  for (const Node& node : snapshot.nodes) {
    if (!node.data_source) continue;
    auto window = std::ranges::find(windows, node.address, &Window::node);
    if (window == windows.end()) return std::nullopt;
    std::optional<long long> change = window->change(tenant, column);
    if (!change) return std::nullopt;
    sum += *change;
  }
  return sum;
}

}  // namespace tenants::tool
