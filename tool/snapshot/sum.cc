#include "tool/snapshot/sum.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

namespace tenants::tool {

namespace {

// Rows of the same identity are one in a sum: the name, but a user cannot pass for "(other)", nor a key or a pattern
// for a prefix.
struct Identity {
  std::string_view name;
  std::uint8_t kind;
  bool operator==(const Identity&) const = default;
};

struct Hash {
  std::size_t operator()(const Identity& identity) const {
    return std::hash<std::string_view>()(identity.name) + identity.kind;
  }
};

Identity identity(const Row& row) {
  bool apart = is_own(row.kind) || is_apart(row.kind);
  return {row.name, apart ? static_cast<std::uint8_t>(row.kind) : std::uint8_t{0}};
}

template <typename Value>
using ByIdentity = std::unordered_map<Identity, Value, Hash>;

// A sum in which one unknown makes all unknown.
struct Cell {
  std::uint64_t value = 0;
  bool known = true;
  std::uint32_t parts = 0;

  void add(std::uint64_t part) {
    ++parts;
    if (part == kAbsent)
      known = false;
    else
      value += part;
  }
  std::uint64_t result() const { return known && parts ? value : kAbsent; }
};

// Σ value × weight: what has no weight need not be known.
struct Mean {
  double sum = 0, weight = 0, unknown_weight = 0;

  void add(std::uint64_t value, std::uint64_t of) {
    if (of == 0 || of == kAbsent) return;
    auto share = static_cast<double>(of);
    weight += share;
    if (value == kAbsent)
      unknown_weight += share;
    else
      sum += static_cast<double>(value) * share;
  }
  std::uint64_t result() const {
    if (weight == 0 || unknown_weight > 0) return kAbsent;
    return static_cast<std::uint64_t>(std::llround(sum / weight));
  }
};

// The parts of one row, as they come.
class Adder {
 public:
  explicit Adder(Table table) : table_(table) {}

  // `data`: also what only sources of data have.
  void add(const Values& values, bool data) {
    std::span<const Column> all = columns(table_);
    for (std::size_t i = 0; i < all.size(); ++i) {
      switch (all[i].kind) {
        case Column::kCounter:
        case Column::kActivity:
        case Column::kPeak:
          cells_[i].add(values[i]);
          break;
        case Column::kData:
          if (data) cells_[i].add(values[i]);
          break;
        case Column::kMost:
          if (values[i] == kAbsent) break;
          cells_[i].value = std::max(cells_[i].value, values[i]);
          cells_[i].parts = 1;
          break;
        case Column::kShare:
        case Column::kMean:
          break;  // below
      }
    }
    if (table_ != Table::kPrefixes) return;
    using namespace prefix_column;
    if (data) {
      coverage_.add(values[kCoverage], values[kKeys]);
      bool known = values[kKeys] != kAbsent && values[kKeysWithoutTtl] != kAbsent;
      std::uint64_t with_ttl = known ? values[kKeys] - std::min(values[kKeys], values[kKeysWithoutTtl]) : 0;
      ttl_.add(values[kAvgTtl], with_ttl);
    }
    // Where a server cannot tell its ratio for want of look-ups, these cannot shift the whole by much if they are few.
    std::uint64_t lookups = values[kHits] == kAbsent ? 0 : values[kHits] + values[kMisses];
    ratio_.add(values[kHitRatio], lookups);
  }

  Values result() const {
    Values values = kNothingKnown;
    std::span<const Column> all = columns(table_);
    for (std::size_t i = 0; i < all.size(); ++i) {
      values[i] = cells_[i].result();
      if (all[i].kind == Column::kPeak && cells_[i].parts > 1) values[i] = kAbsent;
    }
    if (table_ != Table::kPrefixes) return values;
    using namespace prefix_column;
    values[kCoverage] = coverage_.weight > 0 ? coverage_.result() : 1000;
    values[kAvgTtl] = ttl_.result();
    values[kHitRatio] = kAbsent;
    if (ratio_.weight > 0 && ratio_.unknown_weight <= ratio_.weight / 10)
      values[kHitRatio] = static_cast<std::uint64_t>(ratio_.sum / (ratio_.weight - ratio_.unknown_weight));
    return values;
  }

 private:
  Table table_;
  std::array<Cell, kMostColumns> cells_;
  Mean coverage_, ttl_, ratio_;
};

}  // namespace

Row total(Table table, const std::vector<Row>& rows) {
  Adder adder(table);
  for (const Row& row : rows) {
    Values values = row.values;
    if (row.kind == Kind::kOverhead) values[tenant_column::kBytesError] = 0;  // is told by the server, not estimated
    adder.add(values, true);
  }
  Row all{.name = "total", .kind = Kind::kUnknown, .owner = "", .values = adder.result()};
  for (std::size_t i = 0; i < columns(table).size(); ++i)
    if (columns(table)[i].kind == Column::kMost) all.values[i] = kAbsent;  // the largest of different rows says nothing
  return all;
}

Sum sum(const Snapshot& snapshot, Table table) {
  ByIdentity<std::size_t> places;
  std::vector<std::pair<const Row*, Adder>> parts;
  for (const Node& node : snapshot.nodes) {
    for (const Row& row : node.rows(table)) {
      auto [place, is_new] = places.try_emplace(identity(row), parts.size());
      if (is_new) parts.emplace_back(&row, Adder(table));
      auto& [known, adder] = parts[place->second];
      if (known->kind == Kind::kGone) known = &row;  // gone only where it is gone everywhere
      adder.add(row.values, node.data_source);
    }
  }
  Sum sum;
  sum.rows.reserve(parts.size());
  for (const auto& [row, adder] : parts) {
    sum.rows.push_back({.name = row->name, .kind = row->kind, .owner = row->owner, .values = adder.result()});
  }
  std::ranges::sort(sum.rows, [](const Row& a, const Row& b) {
    return is_own(a.kind) != is_own(b.kind) ? is_own(b.kind) : a.name < b.name;
  });
  sum.total = total(table, sum.rows);
  return sum;
}

std::unordered_map<std::string, Largest> largest_parts(const Snapshot& snapshot, Table table) {
  std::unordered_map<std::string, Largest> largest;
  bool several = std::ranges::count_if(snapshot.nodes, &Node::data_source) > 1;
  if (!several || table == Table::kUsers || !snapshot.incomplete().empty()) return largest;
  std::size_t column = table == Table::kTenants ? std::size_t{tenant_column::kKeys} : std::size_t{prefix_column::kKeys};
  for (const Node& node : snapshot.nodes) {
    if (!node.data_source) continue;
    for (const Row& row : node.rows(table)) {
      std::uint64_t keys = row.values[column];
      if (keys == kAbsent || keys == 0) continue;
      Largest& part = largest[shown_title(row)];
      part.of += keys;
      if (keys > part.keys) part.keys = keys, part.node = &node;
    }
  }
  return largest;
}

namespace {

double seconds_of(const Node& then, const Node& now) { return std::chrono::duration<double>(now.at - then.at).count(); }

// The same node, where it was up; else null.
template <typename Nodes>
auto* find_up(Nodes& nodes, const Node& node) {
  auto found = std::ranges::find_if(nodes, [&](const Node& other) { return other.id == node.id && other.up; });
  return found == nodes.end() ? nullptr : &*found;
}

}  // namespace

Snapshot growth(const Snapshot& before, Snapshot now) {
  double usual = seconds_between(before, now);
  for (Node& node : now.nodes) {
    const Node* then = find_up(before.nodes, node);
    bool known = then != nullptr;
    double seconds = known ? seconds_of(*then, node) : 0;
    bool unusual = seconds > 0 && std::abs(seconds - usual) > usual / 100;
    bool restarted = known && then->status_number("start_unix_seconds") != node.status_number("start_unix_seconds");
    bool reset = known && then->status_number("reset_unix_seconds") != node.status_number("reset_unix_seconds");
    for (std::size_t t = 0; t < kTables; ++t) {
      auto table = static_cast<Table>(t);
      ByIdentity<const Row*> rows;
      if (known && !restarted && !reset)
        for (const Row& row : then->rows(table)) rows.emplace(identity(row), &row);
      for (Row& row : node.rows(table)) {
        auto old = rows.find(identity(row));
        for (std::size_t i = 0; i < columns(table).size(); ++i) {
          std::uint64_t& value = row.values[i];
          if (columns(table)[i].kind != Column::kCounter || value == kAbsent) continue;
          std::uint64_t earlier = old == rows.end() ? 0 : old->second->values[i];
          if (!known)
            value = 0;
          else if (earlier == kAbsent)
            value = kAbsent;
          else if (earlier <= value)
            value -= earlier;
          if (unusual && value != kAbsent)
            value = static_cast<std::uint64_t>(std::llround(static_cast<double>(value) * usual / seconds));
        }
      }
    }
  }
  return now;
}

Snapshot remember(Snapshot before, Snapshot now) {
  for (Node& node : now.nodes) {
    if (node.up) continue;
    if (Node* then = find_up(before.nodes, node)) node = std::move(*then);
  }
  return now;
}

double seconds_between(const Snapshot& before, const Snapshot& now) {
  double sum = 0, count = 0;
  for (const Node& node : now.nodes)
    if (const Node* then = node.up ? find_up(before.nodes, node) : nullptr) {
      sum += seconds_of(*then, node);
      ++count;
    }
  return count > 0 ? sum / count : 0;
}

}  // namespace tenants::tool
