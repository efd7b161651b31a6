// TENANTS.LIST, TENANTS.USERS, TENANTS.PREFIXES, TENANTS.DATABASES: all rows, a page at a time.
//
// The cursor says where to go on, so nothing is kept between pages: the number of the next row or, where they are
// sorted, the score and the row of the last one. A row whose place doesn't change meanwhile is in exactly one page.

#include <algorithm>
#include <functional>

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

// Rows to be listed, by number.
struct Listing {
  std::span<const Column> columns;
  std::uint32_t end;
  const char* owner = nullptr;                               // what a row's owner is called; null: it has none
  std::vector<std::uint32_t> own = {};                       // the module's own, ascending
  std::function<bool(std::uint32_t)> is_there = {};          // not free, not hidden
  std::function<std::string_view(std::uint32_t)> name = {};  // of a row that is there
  std::function<ListedRow(std::uint32_t)> line = {};         // likewise
  std::function<std::uint64_t(std::size_t, std::uint32_t)> value = {};  // of a column and a row, to sort by
  std::function<std::uint32_t(std::uint32_t)> next = {};  // this one or the next that may be there; none: this one

  std::uint32_t from(std::uint32_t row) const { return next && row < end ? next(row) : row; }
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

struct Page {
  std::vector<std::uint32_t> rows;
  std::string next = "0";
};

// `cost`: grows by one, and by the work of matching.
bool belongs(const Listing& listing, const Request& request, std::uint32_t row, std::uint64_t& cost) {
  ++cost;
  if (!listing.is_there(row)) return false;
  if (!request.pattern) return true;
  std::string_view name = listing.name(row);
  cost += request.pattern->size() * name.size() / kStepsPerName;
  return matches(*request.pattern, name);
}

bool is_own(const Listing& listing, std::uint32_t row) { return std::ranges::binary_search(listing.own, row); }

// In the order in which they came to be known. O(rows that are looked at).
std::optional<Page> turn(const Listing& listing, const Request& request) {
  std::optional<std::uint64_t> place = number(request.cursor);
  if (!place) return std::nullopt;
  Page page;
  std::uint64_t cost = 0;
  auto full = [&] { return page.rows.size() == request.count || cost >= kMostMatched; };
  for (; *place < listing.end; ++*place) {
    auto row = listing.from(static_cast<std::uint32_t>(*place));
    if (full()) return page.next = std::to_string(row), page;
    *place = row;
    if (!is_own(listing, row) && belongs(listing, request, row, cost)) page.rows.push_back(row);
  }
  for (std::uint64_t i = std::max(*place, kOwn) - kOwn; i < listing.own.size(); ++i) {
    if (full()) return page.next = std::to_string(kOwn + i), page;
    if (belongs(listing, request, listing.own[i], cost)) page.rows.push_back(listing.own[i]);
  }
  return page;
}

// O(all rows), some ns each.
std::optional<Page> turn_sorted(const Listing& listing, const Request& request) {
  std::optional<Place> after;
  if (request.cursor != "0") {
    std::size_t dash = std::min(request.cursor.find('-'), request.cursor.size() - 1);
    std::optional<std::uint64_t> score = number(request.cursor.substr(0, dash)),
                                 row = number(request.cursor.substr(dash + 1));
    if (!score || !row || *row > ~std::uint32_t{0}) return std::nullopt;
    after = {*score, static_cast<std::uint32_t>(*row)};
  }
  std::uint64_t most = request.pattern ? kMostMatched : request.count;
  First first(most);
  for (std::uint32_t row = listing.from(0); row < listing.end; row = listing.from(row + 1)) {
    std::uint64_t value = listing.value(*request.column, row);
    Place place{request.up ? ascending(value) : descending(value), row};
    if (!after || *after < place) first.offer(place);
  }
  std::vector<Place> places = first.take();
  Page page;
  std::size_t looked_at = 0;
  std::uint64_t cost = 0;
  for (; looked_at < places.size() && page.rows.size() < request.count && cost < kMostMatched; ++looked_at)
    if (belongs(listing, request, places[looked_at].row, cost)) page.rows.push_back(places[looked_at].row);
  if (looked_at == most || looked_at < places.size()) {
    const Place& last = places[looked_at - 1];
    page.next = std::to_string(last.score) + "-" + std::to_string(last.row);
  }
  return page;
}

void reply_maps(Context* context, const Listing& listing, const std::vector<std::uint32_t>& rows) {
  api.ReplyWithArray(context, static_cast<long>(rows.size()));
  for (std::uint32_t row : rows) {
    ListedRow line = listing.line(row);
    api.ReplyWithMap(context, 2 + (listing.owner != nullptr) + known(line.values));
    reply_field(context, "name", line.name);
    reply_field(context, "kind", line.kind);
    if (listing.owner) reply_field(context, listing.owner, line.owner);
    reply_values(context, listing.columns, line.values);
  }
}

int list(Context* context, String** argv, int argc, const Listing& listing) {
  Request request;
  if (auto wrong = read(argv, argc, listing.columns, request)) return refuse(context, *wrong);
  std::optional<Page> page = request.column ? turn_sorted(listing, request) : turn(listing, request);
  if (!page) return refuse(context, "invalid cursor, allowed is 0 or what the call before returned");
  CsvText csv;
  if (request.csv) {
    csv.begin(listing.owner, listing.columns, page->rows.size());
    for (std::uint32_t row : page->rows) {
      ListedRow line = listing.line(row);
      csv.add(line.name, line.kind, line.owner, line.values);
    }
  }
  api.ReplyWithArray(context, 2);
  reply(context, page->next);
  if (request.csv)
    reply(context, csv.text());
  else
    reply_maps(context, listing, page->rows);
  return server_api::kOk;
}

// Takes in what is outstanding, so that the rows are right at this moment.
Module& settled() {
  module_state->identity.be_right(Identity::Of::kEverybody, false);
  module_state->tallies.bring_up_to_date(*module_state);
  return *module_state;
}

auto by_row(const Rows& rows) {
  return [&rows](std::size_t column, std::uint32_t row) { return rows.at(column, row, kAbsent); };
}

}  // namespace

int list_tenants(Context* context, String** argv, int argc) {
  Module& module = settled();
  const Columns& values = module.tallies.last().tenants;
  std::uint32_t overhead = overhead_tenant(module);
  // Only a page that comes to it asks for it. Empty: the server does not tell.
  std::optional<std::vector<std::uint64_t>> asked;
  auto of_overhead = [&]() -> const std::vector<std::uint64_t>& {
    if (asked) return *asked;
    asked.emplace();
    if (std::optional<MemoryUse> memory = memory_use(module)) {
      TenantValues known = overhead_values(module, *memory);
      asked->assign(known.begin(), known.end());
    }
    return *asked;
  };
  Listing listing{.columns = kTenantColumns, .end = overhead + 1};
  listing.own = {kOrphans, tenant_of_row(module, UserTable::kInternal), tenant_of_row(module, UserTable::kOther),
                 overhead};
  listing.is_there = [&](std::uint32_t row) {
    return row == overhead ? !of_overhead().empty() : is_listed(module, row);
  };
  listing.name = [&](std::uint32_t row) { return tenant_at(module, row).name; };
  listing.value = [&](std::size_t column, std::uint32_t row) {
    if (row < values.rows()) return values[column][row];
    return row == overhead && !of_overhead().empty() ? of_overhead()[column] : kAbsent;
  };
  listing.line = [&, of_row = TenantValues()](std::uint32_t row) mutable {
    Tenant tenant = tenant_at(module, row);
    if (row != overhead) of_row = values.row<TenantValues>(row);
    return ListedRow{
        tenant.name, tenant.kind, {}, row == overhead ? of_overhead() : std::span<const std::uint64_t>(of_row)};
  };
  return list(context, argv, argc, listing);
}

int list_users(Context* context, String** argv, int argc) {
  Module& module = settled();
  CpuSampler::Hold hold(module.cpu);
  Listing listing{.columns = kUserColumns, .end = module.users.end(), .owner = "tenant"};
  listing.own = {UserTable::kInternal, UserTable::kOther};
  listing.is_there = [](std::uint32_t) { return true; };
  listing.name = [&](std::uint32_t row) { return std::string_view(module.users[row].name); };
  listing.value = by_row(module.tallies.users());
  listing.line = [&, values = UserValues()](std::uint32_t row) mutable {
    Tenant user = tenant_at(module, tenant_of_row(module, row));
    values = user_values(module, row);
    return ListedRow{user.name, std::string_view(user.kind) == "tenant" ? "user" : user.kind,
                     tenant_at(module, tenant_of_user(module, row)).name, values};
  };
  return list(context, argv, argc, listing);
}

int list_prefixes(Context* context, String** argv, int argc) {
  Module& module = settled();
  Listing listing{.columns = kPrefixColumns, .end = module.prefixes.end(), .owner = "owner"};
  listing.own = {PrefixTable::kNone, PrefixTable::kOther};
  listing.is_there = [&](std::uint32_t row) { return module.prefixes.used(row); };
  listing.name = [&](std::uint32_t row) { return module.prefixes.title(row).name; };
  listing.value = by_row(module.tallies.prefixes());
  listing.line = [&, values = PrefixValues()](std::uint32_t row) mutable {
    values = tallied_prefix_values(module, row);
    return ListedRow{module.prefixes.title(row).name, prefix_kind(module, row),
                     tenant_at(module, tenant_of_prefix(module, row)).name, values};
  };
  return list(context, argv, argc, listing);
}

int list_databases(Context* context, String** argv, int argc) {
  Module& module = *module_state;
  std::optional<DatabaseSizes> sizes = module.ask.databases();
  if (!sizes) return refuse(context, "the server refused INFO keyspace");
  auto number = [](std::uint32_t row) { return static_cast<int>(row); };
  Listing listing{.columns = kDatabaseColumns,
                  .end = sizes->empty() ? 0 : static_cast<std::uint32_t>(sizes->rbegin()->first) + 1};
  listing.next = [&](std::uint32_t row) { return static_cast<std::uint32_t>(sizes->lower_bound(number(row))->first); };
  listing.is_there = [](std::uint32_t) { return true; };
  std::string shown;
  listing.name = [&](std::uint32_t row) { return std::string_view(shown = std::to_string(row)); };
  auto values = [&](std::uint32_t row) { return database_values(module, number(row), sizes->at(number(row))); };
  listing.value = [&](std::size_t column, std::uint32_t row) { return values(row)[column]; };
  listing.line = [&, kept = DatabaseValues()](std::uint32_t row) mutable {
    kept = values(row);
    return ListedRow{listing.name(row), "database", {}, kept};
  };
  return list(context, argv, argc, listing);
}

}  // namespace tenants
