#include "tool/views/top_reading.h"

#include "tool/snapshot/sum.h"

namespace tenants::tool {

namespace {

constexpr std::chrono::seconds kPrefixesEvery{10};

// What the ACL forbids in few words: "tenants.top is not allowed; allow it: ACL SETUSER ops +tenants.top".
std::string in_short(const Failure& failure) {
  std::string text = failure.what();
  std::size_t grant = text.find("; allow it: ");
  if (failure.code != Exit::kDenied || grant == std::string::npos) return text;
  return text.substr(text.rfind('+') + 1) + " is not allowed" + text.substr(grant);
}

}  // namespace

TopRows TopReader::read(Table table, bool with_hits) {
  with_hits &= table == Table::kTenants;
  if (with_hits && Clock::now() >= next_prefixes_) read_prefixes();
  Snapshot now = fleet_.read(only(table));
  std::string problem = read_recent_use();
  if (table_ != table) before_.reset();
  TopRows rows = top_rows(table, {now, before_ ? &*before_ : nullptr, &recent_, &lookups_});
  Evidence evidence{now, recent_};
  if (evictions_) evidence.grown = &*evictions_, evidence.grown_seconds = evictions_seconds_;
  rows.concerns = attention(evidence);
  if (!problem.empty()) rows.notes.push_back(problem);
  if (with_hits && !prefixes_problem_.empty()) rows.notes.push_back(prefixes_problem_);
  before_ = before_ ? remember(std::move(*before_), std::move(now)) : std::move(now);
  table_ = table;
  return rows;
}

// Returns why it is not known, or nothing.
std::string TopReader::read_recent_use() {
  recent_ = {};
  try {
    recent_ = read_recent(fleet_, kMostWindowRows);
  } catch (const Failure& failure) {
    return in_short(failure);
  }
  return "";
}

void TopReader::read_prefixes() {
  next_prefixes_ = Clock::now() + kPrefixesEvery;
  Snapshot prefixes = fleet_.read({.tenants = false, .prefixes = true});
  prefixes_problem_.clear();
  for (const Node& node : prefixes.nodes)
    if (node.failure.code == Exit::kDenied) prefixes_problem_ = in_short(node.failure);
  lookups_ = lookups_of(prefixes);
  if (prefixes_) {
    evictions_seconds_ = seconds_between(*prefixes_, prefixes);
    evictions_ = growth(*prefixes_, prefixes);
  }
  prefixes_ = std::move(prefixes);
}

TopTenant TopReader::read(const std::string& tenant) {
  TopTenant page{.name = tenant};
  try {
    page.details = read_tenant(fleet_, tenant);
    page.known = page.details.nodes.nodes_up() > 0;
    if (!page.known) page.problem = page.details.nodes.incomplete().front();
    if (!page.details.big_keys.empty() || page.details.prefixes.rows.empty()) return page;
    for (const Answer& answer : fleet_.ask({{"TENANTS.BIGKEYS", page.details.prefixes.rows[0].name, "COUNT", "1"}}))
      if (answer.ok() && answer.replies[0].is_error()) check(answer.replies[0]);
  } catch (const Failure& failure) {
    std::string& problem = page.known ? page.key_problem : page.problem;
    if (failure.code == Exit::kDenied || !page.known) problem = in_short(failure);
  }
  return page;
}

}  // namespace tenants::tool
