#include "tool/exporter/selection.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace tenants::tool {

namespace {

constexpr double kHeavier = 2, kAtLeast = 0.001;  // what a hidden row must weigh more than a shown one to replace it

std::vector<ShownNode> all_rows(const Snapshot& snapshot, Table table) {
  std::vector<ShownNode> nodes(snapshot.nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::vector<Row>& rows = snapshot.nodes[i].rows(table);
    nodes[i].rows.reserve(rows.size());
    for (const Row& row : rows) {
      if (row.kind == Kind::kOther)
        nodes[i].other = row.values;
      else
        nodes[i].rows.push_back({shown_title(row), &row});
    }
  }
  return nodes;
}

std::uint64_t known(std::uint64_t value) { return value == kAbsent ? 0 : value; }

// By name.
using Weights = std::unordered_map<std::string, double>;

// The share of the memory plus the share of the commands, or of what is looked up, over all nodes.
Weights weigh(const std::vector<ShownNode>& nodes, const Snapshot& snapshot, Table table) {
  bool tenants = table == Table::kTenants;
  std::size_t bytes = tenants ? std::size_t{tenant_column::kBytes} : std::size_t{prefix_column::kBytes};
  std::size_t work = tenants ? std::size_t{tenant_column::kCommands} : std::size_t{prefix_column::kHits};
  std::unordered_map<std::string, std::pair<double, double>> sums;
  double all_bytes = 1, all_work = 1;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    bool data = snapshot.nodes[i].data_source;
    for (const Shown& shown : nodes[i].rows) {
      if (is_own(shown.row->kind)) continue;
      auto& [of_bytes, of_work] = sums[shown.name];
      double more_bytes = data ? static_cast<double>(known(shown.row->values[bytes])) : 0;
      double more_work = static_cast<double>(known(shown.row->values[work]));
      of_bytes += more_bytes, all_bytes += more_bytes;
      of_work += more_work, all_work += more_work;
    }
  }
  Weights weights;
  for (const auto& [name, sum] : sums) weights[name] = sum.first / all_bytes + sum.second / all_work;
  return weights;
}

}  // namespace

std::vector<ShownNode> Selection::show(const SharedReading& reading) {
  std::lock_guard lock(mutex_);
  const std::vector<Node>& nodes = reading->snapshot.nodes;
  std::vector<ShownNode> shown = all_rows(reading->snapshot, table_);
  if (reading->number > last_) {
    last_ = reading->number;
    bool hiding_before = hiding_;
    Names before = shown_;
    choose(shown, *reading);
    std::erase_if(
        nodes_, [&](const auto& past) { return std::ranges::find(nodes, past.first, &Node::address) == nodes.end(); });
    for (std::size_t i = 0; i < nodes.size() && hiding_; ++i) {
      if (!nodes[i].up) continue;
      Past& past = nodes_[nodes[i].address];
      grow(past, nodes[i], shown[i], before, hiding_before);
      past.reading = reading;
    }
  }
  if (!hiding_) return shown;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (auto past = nodes_.find(nodes[i].address); nodes[i].up && past != nodes_.end())
      hide(shown[i], past->second.grown);
  return shown;
}

// Of an owner of more than it may have, the lightest; who is shown counts as much as one that is kHeavier.
Selection::Names Selection::too_many_of_one(const std::vector<ShownNode>& nodes,
                                            const std::unordered_map<std::string, double>& weights) const {
  std::unordered_map<std::string, std::string> owners;  // by name
  for (const ShownNode& node : nodes)
    for (const Shown& shown : node.rows)
      if (!is_own(shown.row->kind)) owners.try_emplace(shown.name, shown.row->owner);
  std::unordered_map<std::string, std::vector<std::pair<double, std::string>>> of_owner;
  for (const auto& [name, owner] : owners)
    of_owner[owner].emplace_back(weights.at(name) * (shown_.contains(name) ? kHeavier : 1), name);
  Names hidden;
  for (auto& [owner, names] : of_owner) {
    if (names.size() <= most_of_one_) continue;
    std::ranges::sort(names, std::greater());
    for (std::size_t i = most_of_one_; i < names.size(); ++i) hidden.insert(names[i].second);
  }
  return hidden;
}

void Selection::choose(const std::vector<ShownNode>& nodes, const Reading& reading) {
  using Weighed = std::pair<double, std::string>;
  Weights weights = weigh(nodes, reading.snapshot, table_);
  Names hidden;
  if (table_ == Table::kPrefixes) hidden = too_many_of_one(nodes, weights);
  hiding_ |= !hidden.empty();
  for (const std::string& name : hidden) shown_.erase(name);
  bool complete = reading.snapshot.nodes_up() == reading.snapshot.nodes.size();
  if (complete) std::erase_if(shown_, [&](const std::string& name) { return !weights.contains(name); });
  std::vector<Weighed> outside;
  for (const auto& [name, weight] : weights)
    if (!shown_.contains(name) && !hidden.contains(name)) outside.emplace_back(weight, name);
  std::ranges::sort(outside, std::greater());
  auto next = outside.begin();
  for (; next != outside.end() && shown_.size() < most_; ++next) shown_.insert(next->second);
  hiding_ |= next != outside.end();
  if (next == outside.end() || !complete) return;  // who is on a node that doesn't answer keeps its place
  std::vector<Weighed> inside;
  for (const std::string& name : shown_) inside.emplace_back(weights[name], name);
  std::ranges::sort(inside);
  for (const Weighed& light : inside) {
    if (next == outside.end() || next->first < kHeavier * light.first + kAtLeast) break;
    shown_.erase(light.second);
    shown_.insert((next++)->second);
  }
}

void Selection::grow(Past& past, const Node& node, const ShownNode& rows, const Names& shown_before,
                     bool hiding_before) {
  std::uint64_t began = node.status_number("reset_unix_seconds");
  bool first = !past.reading, anew = !first && began != past.began;
  if (anew) past.grown = kNothingKnown;
  std::unordered_map<std::string, const Values*> now;
  for (const Shown& shown : rows.rows) {
    if (is_own(shown.row->kind)) continue;
    const Values& values = shown.row->values;
    now.emplace(shown.name, &values);
    auto old = past.rows.find(shown.name);
    bool is_new = old == past.rows.end();
    bool hidden = !shown_.contains(shown.name);
    bool was_hidden = hiding_before && !is_new && !shown_before.contains(shown.name);
    if (!hidden && (!was_hidden || anew)) continue;
    for (std::size_t i = 0; i < columns(table_).size(); ++i) {
      if (!is_counter(i) || values[i] == kAbsent) continue;
      std::uint64_t from = first ? values[i] : anew || is_new ? 0 : (*old->second)[i];
      if (from == kAbsent) from = values[i];  // nobody knows how much of it is new
      if (from > values[i]) from = 0;         // this row began anew
      past.grown[i] = known(past.grown[i]) + values[i] - from;
    }
  }
  past.rows = std::move(now);
  past.began = began;
}

void Selection::hide(ShownNode& node, const Values& grown) const {
  bool any = false;
  Values sum{};
  for (const Shown& shown : node.rows) {
    if (is_own(shown.row->kind) || shown_.contains(shown.name)) continue;
    any = true;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      std::uint64_t value = shown.row->values[i];
      sum[i] = sum[i] == kAbsent || value == kAbsent ? kAbsent : sum[i] + value;
    }
  }
  std::erase_if(node.rows,
                [&](const Shown& shown) { return !is_own(shown.row->kind) && !shown_.contains(shown.name); });
  if (!any && !node.other && grown == kNothingKnown) return;
  bool own = node.other.has_value();
  Values& other = own ? *node.other : node.other.emplace(kNothingKnown);
  for (std::size_t i = 0; i < columns(table_).size(); ++i) {
    Column::Kind kind = columns(table_)[i].kind;
    if (kind == Column::kCounter) {
      if (grown[i] != kAbsent) other[i] = known(other[i]) + grown[i];
    } else if (kind != Column::kData && kind != Column::kActivity) {
      other[i] = any || !own ? kAbsent : other[i];
    } else if (any) {
      bool unknown = sum[i] == kAbsent || (own && other[i] == kAbsent);
      other[i] = unknown ? kAbsent : sum[i] + (own ? other[i] : 0);
    }
  }
}

}  // namespace tenants::tool
