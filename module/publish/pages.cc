// TENANTS.LIST, TENANTS.USERS, TENANTS.PREFIXES, TENANTS.DATABASES: all rows, a page at a time.
//
// The cursor says where to go on, so nothing is kept between pages: the number of the next row or, where they are
// sorted, the score and the row of the last one. A row whose place doesn't change meanwhile is in exactly one page.

#include <algorithm>
#include <array>

#include "module/accounting/glob.h"
#include "module/hooks/hooks.h"
#include "module/publish/publish.h"
#include "module/publish/replies.h"

namespace tenants {

using server_api::api;

namespace {

constexpr std::size_t kLongestPattern = 1024;           // twice the longest name
constexpr std::uint64_t kMostMatched = 5000;            // names in one page, fewer where patterns and names are long
constexpr std::uint64_t kStepsPerName = 256;            // of matching; what takes more counts as several names
constexpr std::uint64_t kOwn = std::uint64_t{1} << 32;  // the module's own rows come after all others

// A row as it is listed; valid until the next one is asked for.
struct ListedRow {
  std::string_view name;
  const char* kind;
  std::string_view owner;                 // where the listing names one
  std::span<const std::uint64_t> values;  // of the listing's columns
};

// Rows to be listed, by number; a listing adds kColumns, end(), is_there(), name(), value() and line(). What it is
// asked for a row is inlined: a page has hundreds of them.
struct AllRows {
  static constexpr const char* kOwner = nullptr;               // what a row's owner is called; null: it has none
  std::vector<std::uint32_t> own() const { return {}; }        // the module's own, ascending; listed last
  std::uint32_t next(std::uint32_t row) const { return row; }  // this one or the next that may be there
};

struct Request {
  std::string_view cursor = "0";
  std::uint64_t count = 100;
  std::optional<std::string_view> pattern;
  std::optional<std::size_t> column;
  bool up = false;
  bool csv = false;
};

// What is wrong, or nothing.
std::optional<std::string> read(String** argv, int argc, std::span<const Column> columns, Request& request) {
  if (argc > 1) request.cursor = server_api::view(argv[1]);
  for (int i = 2; i < argc; ++i) {
    std::string_view option = server_api::view(argv[i]);
    bool count = is_word(option, "count"), match = is_word(option, "match"), sort = is_word(option, "sortby"),
         format = is_word(option, "format");
    if (!count && !match && !sort && !format) return "unknown option, allowed are COUNT, MATCH, SORTBY and FORMAT";
    if (++i == argc)
      return std::string("option ") +
             (count   ? "COUNT"
              : match ? "MATCH"
              : sort  ? "SORTBY"
                      : "FORMAT") +
             " has no value";
    std::string_view value = server_api::view(argv[i]);
    if (format) {
      std::optional<bool> csv = read_format(value);
      if (!csv) return kFormatRule;
      request.csv = *csv;
    }
    if (match && value.size() > kLongestPattern) return "invalid MATCH, allowed are 1024 bytes";
    if (match) request.pattern = value;
    if (count) {
      std::optional<std::uint64_t> number = read_count(value);
      if (!number) return kCountRule;
      request.count = *number;
    }
    if (!sort) continue;
    request.column = find_column(columns, value);
    if (!request.column) return column_rule(columns);
    std::string_view order = i + 1 < argc ? server_api::view(argv[i + 1]) : std::string_view();
    request.up = is_word(order, "asc");
    if (request.up || is_word(order, "desc")) ++i;
  }
  return std::nullopt;
}

// The rows that are replied. Their text is written as they are found, while what they are read from is in the cache.
template <typename Listing>
struct Page {
  Page(Listing& of, bool as_csv) : listing(of), csv(as_csv) {}

  Listing& listing;
  bool csv;
  std::uint64_t size = 0;
  CsvText text = {};
  std::array<std::uint32_t, kMaxCount> rows;  // where they are replied as maps
  std::string next = "0";

  void take(std::uint32_t row) {
    rows[size++] = row;
    if (!csv) return;
    ListedRow line = listing.line(row);
    text.add(line.name, line.kind, line.owner, line.values);
  }
};

// `cost`: grows by one, and by the work of matching.
template <typename Listing>
bool belongs(Listing& listing, const Request& request, std::uint32_t row, std::uint64_t& cost) {
  ++cost;
  if (!listing.is_there(row)) return false;
  if (!request.pattern) return true;
  std::string_view name = listing.name(row);
  cost += request.pattern->size() * name.size() / kStepsPerName;
  return matches(*request.pattern, name);
}

// In the order in which they came to be known. O(rows that are looked at). False where the cursor is none.
template <typename Listing>
bool turn(Listing& listing, const Request& request, Page<Listing>& page) {
  std::optional<std::uint64_t> place = number_in<std::uint64_t>(request.cursor);
  if (!place) return false;
  std::uint64_t cost = 0;
  const std::vector<std::uint32_t> own = listing.own();
  auto full = [&] { return page.size == request.count || cost >= kMostMatched; };
  for (; *place < listing.end(); ++*place) {
    auto row = listing.next(static_cast<std::uint32_t>(*place));
    if (full()) return page.next = std::to_string(row), true;
    *place = row;
    if (!std::ranges::binary_search(own, row) && belongs(listing, request, row, cost)) page.take(row);
  }
  for (std::uint64_t i = std::max(*place, kOwn) - kOwn; i < own.size(); ++i) {
    if (full()) return page.next = std::to_string(kOwn + i), true;
    if (belongs(listing, request, own[i], cost)) page.take(own[i]);
  }
  return true;
}

// O(all rows), some ns each. Likewise.
template <typename Listing>
bool turn_sorted(Listing& listing, const Request& request, Page<Listing>& page) {
  std::optional<Place> after;
  if (request.cursor != "0") {
    std::size_t dash = std::min(request.cursor.find('-'), request.cursor.size() - 1);
    std::optional<std::uint64_t> score = number_in<std::uint64_t>(request.cursor.substr(0, dash)),
                                 row = number_in<std::uint64_t>(request.cursor.substr(dash + 1));
    if (!score || !row || *row > ~std::uint32_t{0}) return false;
    after = {*score, static_cast<std::uint32_t>(*row)};
  }
  std::uint64_t most = request.pattern ? kMostMatched : request.count;
  First first(most);
  for (std::uint32_t row = listing.next(0); row < listing.end(); row = listing.next(row + 1)) {
    std::uint64_t value = listing.value(*request.column, row);
    Place place{request.up ? ascending(value) : descending(value), row};
    if (!after || *after < place) first.offer(place);
  }
  std::vector<Place> places = first.take();
  std::size_t looked_at = 0;
  std::uint64_t cost = 0;
  for (; looked_at < places.size() && page.size < request.count && cost < kMostMatched; ++looked_at)
    if (belongs(listing, request, places[looked_at].row, cost)) page.take(places[looked_at].row);
  if (looked_at == most || looked_at < places.size()) {
    const Place& last = places[looked_at - 1];
    page.next = std::to_string(last.score) + "-" + std::to_string(last.row);
  }
  return true;
}

template <typename Listing>
void reply_maps(Context* context, Listing& listing, std::span<const std::uint32_t> rows) {
  api.ReplyWithArray(context, static_cast<long>(rows.size()));
  for (std::uint32_t row : rows) {
    ListedRow line = listing.line(row);
    api.ReplyWithMap(context, 2 + (Listing::kOwner != nullptr) + known(line.values));
    reply_field(context, "name", line.name);
    reply_field(context, "kind", line.kind);
    if (Listing::kOwner) reply_field(context, Listing::kOwner, line.owner);
    reply_values(context, Listing::kColumns, line.values);
  }
}

template <typename Listing>
int list(Context* context, String** argv, int argc, Listing listing) {
  Request request;
  if (auto wrong = read(argv, argc, Listing::kColumns, request)) return refuse(context, *wrong);
  Page<Listing> page(listing, request.csv);
  if (request.csv) page.text.begin(Listing::kOwner, Listing::kColumns);
  if (!(request.column ? turn_sorted(listing, request, page) : turn(listing, request, page)))
    return refuse(context, "invalid cursor, allowed is 0 or what the call before returned");
  api.ReplyWithArray(context, 2);
  reply(context, page.next);
  if (request.csv)
    reply(context, page.text.text());
  else
    reply_maps(context, listing, std::span(page.rows).first(page.size));
  return server_api::kOk;
}

// Takes in what is outstanding, so that the rows are right at this moment.
Module& settled() {
  module_state->identity.be_right(Identity::Of::kEverybody, false);
  module_state->tallies.bring_up_to_date(*module_state);
  return *module_state;
}

class TenantRows : public AllRows {
 public:
  static constexpr std::span<const Column> kColumns = kTenantColumns;

  explicit TenantRows(const Module& module) : module_(module), tally_(module.tallies.last().tenants) {}
  std::uint32_t end() const { return overhead_ + 1; }
  std::vector<std::uint32_t> own() const {
    return {kOrphans, tenant_of_row(module_, UserTable::kInternal), tenant_of_row(module_, UserTable::kOther),
            overhead_};
  }
  bool is_there(std::uint32_t row) { return row == overhead_ ? !of_overhead().empty() : is_listed(module_, row); }
  std::string_view name(std::uint32_t row) const { return tenant_at(module_, row).name; }
  std::uint64_t value(std::size_t column, std::uint32_t row) {
    if (row < tally_.rows()) return tally_[column][row];
    return row == overhead_ && !of_overhead().empty() ? of_overhead()[column] : kAbsent;
  }
  ListedRow line(std::uint32_t row) {
    Tenant tenant = tenant_at(module_, row);
    if (row == overhead_) return {tenant.name, tenant.kind, {}, of_overhead()};
    filled_ = tally_.read(row, values_, filled_);
    return {tenant.name, tenant.kind, {}, values_};
  }

 private:
  // Only a page that comes to it asks for it. Empty: the server does not tell.
  std::span<const std::uint64_t> of_overhead() {
    if (!asked_) {
      asked_.emplace();
      if (std::optional<MemoryUse> memory = memory_use(module_)) {
        TenantValues known = overhead_values(module_, *memory);
        asked_->assign(known.begin(), known.end());
      }
    }
    return *asked_;
  }

  const Module& module_;
  const Columns& tally_;
  std::uint32_t overhead_ = overhead_tenant(module_);
  std::optional<std::vector<std::uint64_t>> asked_;
  TenantValues values_{};
  std::uint32_t filled_ = 0;  // of these
};

class UserRows : public AllRows {
 public:
  static constexpr std::span<const Column> kColumns = kUserColumns;
  static constexpr const char* kOwner = "tenant";

  explicit UserRows(Module& module) : module_(module), hold_(module.cpu) {}
  std::uint32_t end() const { return module_.users.end(); }
  std::vector<std::uint32_t> own() const { return {UserTable::kInternal, UserTable::kOther}; }
  bool is_there(std::uint32_t) const { return true; }
  std::string_view name(std::uint32_t row) const { return module_.users[row].name; }
  std::uint64_t value(std::size_t column, std::uint32_t row) const {
    return module_.tallies.users().at(column, row, kAbsent);
  }
  ListedRow line(std::uint32_t row) {
    Tenant user = tenant_at(module_, tenant_of_row(module_, row));
    values_ = user_values(module_, row);
    return {user.name, std::string_view(user.kind) == "tenant" ? "user" : user.kind,
            tenant_at(module_, tenant_of_user(module_, row)).name, values_};
  }

 private:
  const Module& module_;
  CpuSampler::Hold hold_;
  UserValues values_;
};

class PrefixRows : public AllRows {
 public:
  static constexpr std::span<const Column> kColumns = kPrefixColumns;
  static constexpr const char* kOwner = "owner";

  explicit PrefixRows(const Module& module) : module_(module) {}
  std::uint32_t end() const { return module_.prefixes.end(); }
  std::vector<std::uint32_t> own() const { return {PrefixTable::kNone, PrefixTable::kOther}; }
  bool is_there(std::uint32_t row) const { return module_.prefixes.used(row); }
  std::string_view name(std::uint32_t row) const { return module_.prefixes.title(row).name; }
  std::uint64_t value(std::size_t column, std::uint32_t row) const {
    return module_.tallies.prefixes().at(column, row, kAbsent);
  }
  ListedRow line(std::uint32_t row) {
    values_ = tallied_prefix_values(module_, row);
    PrefixTable::Title title = module_.prefixes.title(row);
    return {title.name, prefix_kind(row, title), tenant_at(module_, tenant_of_prefix(module_, row)).name, values_};
  }

 private:
  const Module& module_;
  PrefixValues values_;
};

class DatabaseRows : public AllRows {
 public:
  static constexpr std::span<const Column> kColumns = kDatabaseColumns;

  DatabaseRows(const Module& module, const DatabaseSizes& sizes) : module_(module), sizes_(sizes) {}
  std::uint32_t end() const { return sizes_.empty() ? 0 : static_cast<std::uint32_t>(sizes_.rbegin()->first) + 1; }
  std::uint32_t next(std::uint32_t row) const {
    auto found = sizes_.lower_bound(static_cast<int>(row));
    return found == sizes_.end() ? row : static_cast<std::uint32_t>(found->first);
  }
  bool is_there(std::uint32_t) const { return true; }
  std::string_view name(std::uint32_t row) { return shown_ = std::to_string(row); }
  std::uint64_t value(std::size_t column, std::uint32_t row) const { return values(row)[column]; }
  ListedRow line(std::uint32_t row) {
    values_ = values(row);
    return {name(row), "database", {}, values_};
  }

 private:
  DatabaseValues values(std::uint32_t row) const {
    int db = static_cast<int>(row);
    return database_values(module_, db, sizes_.at(db));
  }

  const Module& module_;
  const DatabaseSizes& sizes_;
  std::string shown_;
  DatabaseValues values_;
};

}  // namespace

int list_tenants(Context* context, String** argv, int argc) { return list(context, argv, argc, TenantRows(settled())); }

int list_users(Context* context, String** argv, int argc) { return list(context, argv, argc, UserRows(settled())); }

int list_prefixes(Context* context, String** argv, int argc) {
  return list(context, argv, argc, PrefixRows(settled()));
}

int list_databases(Context* context, String** argv, int argc) {
  std::optional<DatabaseSizes> sizes = module_state->ask.databases();
  if (!sizes) return refuse(context, "the server refused INFO keyspace");
  return list(context, argv, argc, DatabaseRows(*module_state, *sizes));
}

}  // namespace tenants
