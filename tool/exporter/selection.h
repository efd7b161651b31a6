// Which rows a page with at most N names shows, and what the others add up to, as the row "(other)".
//
// Who is shown stays shown: a row gives up its place only when its tenant is gone, or to one that is hidden and weighs
// more than twice as much (weight: the share of the memory plus the share of the commands).
//
// The counters of "(other)" must neither fall when a tenant moves out of it nor jump when one moves in, or rate() would
// show work that nobody did. So they are no sums of counters. They begin with what the module itself has in its row
// "(other)", and grow by what each hidden row grows from one reading to the next; a row that moves counts as hidden
// until it has been shown once. They start anew when the server's own counters do, and when this process does; either
// is a counter reset as Prometheus knows it. Gauges are plain sums.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tool/exporter/scraper.h"

namespace tenants::tool {

struct Shown {
  std::string name;  // escaped, as shown_name() gives it
  const Row* row;    // of the reading
};

struct ShownNode {
  std::vector<Shown> rows;      // without "(other)"
  std::optional<Values> other;  // of the module's own row "(other)" and all hidden rows; nothing where there are none
};

class Selection {
 public:
  // At most so many rows, and of one owner so many, and no more than a quarter of all: one tenant with thousands of
  // prefixes shall not hide those of all others.
  Selection(Table table, std::size_t most, std::size_t most_of_one = ~std::size_t{0})
      : table_(table), most_(most), most_of_one_(std::min(most_of_one, std::max<std::size_t>(1, most / 4))) {}

  // One for each node of the reading. Each reading counts once, in whatever order they come. O(rows). From any thread.
  std::vector<ShownNode> show(const SharedReading& reading);

 private:
  using Names = std::unordered_set<std::string>;
  struct Past {
    SharedReading reading;  // owns what `rows` points to
    std::unordered_map<std::string, const Values*> rows;
    std::uint64_t began = 0;       // unix seconds, of the server's counters
    Values grown = kNothingKnown;  // the counters of hidden rows, see above
  };

  void choose(const std::vector<ShownNode>& nodes, const Reading& reading);
  Names too_many_of_one(const std::vector<ShownNode>& nodes,
                        const std::unordered_map<std::string, double>& weights) const;
  void grow(Past& past, const Node& node, const ShownNode& rows, const Names& shown_before, bool hiding_before);
  void hide(ShownNode& node, const Values& grown) const;
  bool is_counter(std::size_t column) const { return columns(table_)[column].kind == Column::kCounter; }

  const Table table_;
  const std::size_t most_, most_of_one_;
  std::mutex mutex_;
  std::uint64_t last_ = 0;  // number of the newest reading
  bool hiding_ = false;     // there were more rows than places, once
  Names shown_;
  std::unordered_map<std::string, Past> nodes_;  // by address
};

}  // namespace tenants::tool
