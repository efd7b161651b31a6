#include "tool/views/recent.h"

#include <algorithm>
#include <charconv>

#include "tool/snapshot/parse.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kMostNamed = 1000;

double read_double(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One reply; false where it has an unknown form.
bool take_in(const Reply& reply, const std::string& field, RecentNumber::OfNode& node) {
  const Reply *seconds = reply.find("seconds"), *rows = reply.find("tenants");
  if (!seconds || !rows) return false;
  node.seconds = read_double(seconds->text);
  double last = 0;
  for (const Reply& row : rows->elements) {
    const Reply* value = row.find(field);
    if (!value) continue;
    last = value->type == Reply::Type::kInteger ? static_cast<double>(value->integer) : read_double(value->text);
    node.values.insert_or_assign(shown_name(read_row(Table::kTenants, row)), last);
  }
  node.least = rows->elements.size() < kMostNamed ? 0 : std::max(last, 0.0);
  return true;
}

}  // namespace

std::optional<double> RecentNumber::data(const std::string& shown) const {
  double sum = 0;
  for (const OfNode& node : nodes) {
    if (!node.data_source) continue;
    auto found = node.values.find(shown);
    if (found == node.values.end()) return std::nullopt;
    sum += found->second;
  }
  return complete && !nodes.empty() ? std::optional(sum) : std::nullopt;
}

RecentNumber read_recent_number(Fleet& fleet, const Snapshot& snapshot, const std::vector<std::string>& by, const std::string& field,
                   int seconds) {
  std::vector<Command> commands;
  commands.reserve(by.size());
  for (const std::string& column : by)
    commands.push_back({"TENANTS.TOP", column, "WINDOW", std::to_string(seconds), "COUNT", std::to_string(kMostNamed)});
  RecentNumber recent;
  for (const Answer& answer : fleet.ask(commands)) {
    RecentNumber::OfNode node;
    auto same = std::ranges::find(snapshot.nodes, answer.node, &Node::address);
    node.data_source = same != snapshot.nodes.end() && same->data_source;
    bool taken = answer.ok();
    for (std::size_t i = 0; taken && i < commands.size(); ++i) {
      check(answer.replies[i]);  // what is not allowed is not 0
      taken = take_in(answer.replies[i], field, node);
    }
    recent.complete &= taken;
    if (taken) recent.nodes.push_back(std::move(node));
  }
  return recent;
}

}  // namespace tenants::tool
