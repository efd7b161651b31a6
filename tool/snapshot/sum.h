// Adding up over servers and over time.
#pragma once

#include <unordered_map>

#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

struct Sum {
  std::vector<Row> rows;  // by name; the module's own last
  Row total;              // of all rows
};

// One row per name over all nodes that are up, by the kind of each column; a number that one node has the row but does
// not know is absent. bytes_error adds up, which is conservative. A node that does not answer is not in it:
// Snapshot::incomplete() says which. O(rows log rows).
Sum sum(const Snapshot& snapshot, Table table);

// Which source of data has most of a row's keys, and how many of them all: hash tags put a whole tenant on one node.
struct Largest {
  const Node* node = nullptr;
  std::uint64_t keys = 0, of = 0;

  std::uint64_t share() const { return keys * 1000 / of; }  // thousandths
};
// By shown_title(), of rows that have keys; empty where fewer than two nodes have data, or one with it does not answer.
// O(rows).
std::unordered_map<std::string, Largest> largest_parts(const Snapshot& snapshot, Table table);

// `total` of any rows of one table, e.g. those left by a filter.
Row total(Table table, const std::vector<Row>& rows);

// `now` with its counters replaced by what they grew since `before`: node by node, row by row, so that a node or a row
// that comes, goes or restarts makes no spike and nothing below 0. A counter that is smaller than before, or whose row
// or server is new since, counts from 0; one of a node that did not answer before counts 0; of one that was not known
// before, the growth is not known. What a node grew in a shorter or a longer time than seconds_between() is what it
// would have grown in that. Gauges stay. O(rows).
Snapshot growth(const Snapshot& before, Snapshot now);

// What growth() shall begin from next time: `now`, but of nodes that are not up what `before` knew of them, so that
// what they do meanwhile is not lost when they answer again.
Snapshot remember(Snapshot before, Snapshot now);

// Seconds between the two, as the nodes answered: the mean over those in both; 0 where there are none.
double seconds_between(const Snapshot& before, const Snapshot& now);

}  // namespace tenants::tool
