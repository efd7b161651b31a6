#include "tool/fleet/window.h"

#include <charconv>

#include "tool/snapshot/parse.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kMostRows = 1000;

std::optional<long long> change(const Reply& row, std::string_view name) {
  const Reply* value = row.find(name);
  return value && value->type == Reply::Type::kInteger ? std::optional(value->integer) : std::nullopt;
}

}  // namespace

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

std::vector<Window> read_windows(Fleet& fleet, int seconds) {
  std::vector<Window> windows;
  Command command{"TENANTS.TOP", "commands", "WINDOW", std::to_string(seconds), "COUNT", std::to_string(kMostRows)};
  for (const Answer& answer : fleet.ask({command})) {
    if (!answer.ok()) continue;
    check(answer.replies[0]);  // what is not allowed is not 0
    Window window{.node = answer.node};
    const Reply &reply = answer.replies[0], *length = reply.find("seconds"), *rows = reply.find("tenants");
    if (!length || !rows) continue;
    std::from_chars(length->text.data(), length->text.data() + length->text.size(), window.seconds);
    for (const Reply& row : rows->elements) {
      window.rows.push_back(read_row(Table::kTenants, row));
      window.places.emplace(shown_name(window.rows.back()), window.rows.size() - 1);
      window.changes.push_back({change(row, "keys_change"), change(row, "bytes_change")});
    }
    window.complete = rows->elements.size() < kMostRows;
    windows.push_back(std::move(window));
  }
  return windows;
}

}  // namespace tenants::tool
