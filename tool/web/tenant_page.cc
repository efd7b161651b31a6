#include "tool/web/tenant_page.h"

#include <algorithm>
#include <ctime>

#include "tool/exporter/metrics.h"
#include "tool/snapshot/sum.h"
#include "tool/web/assets.h"
#include "tool/web/format.h"
#include "tool/web/page.h"
#include "tool/web/shell.h"

namespace tenants::tool::web {

namespace {

constexpr std::size_t kMostRows = 50;  // of a list; JSON has all

std::string number(std::uint64_t value) { return value == kAbsent ? "–" : count(static_cast<double>(value)); }
std::string size(std::uint64_t value) { return value == kAbsent ? "–" : bytes(static_cast<double>(value)); }
std::string seconds(std::uint64_t usec) {
  if (usec == kAbsent) return "–";
  auto value = static_cast<double>(usec);
  return value < 1e6 ? count(value / 1e3) + " ms" : value < 6e7 ? count(value / 1e6) + " s" : duration(value / 1e6);
}

// A section with a table; cells are HTML, and those in `texts` first columns are text.
class Section {
 public:
  Section(const char* title, std::initializer_list<const char*> heads, std::size_t texts = 1) : texts_(texts) {
    text_ = std::string("<section><h2>") + title +
            "</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + title + "\"><table><thead><tr>";
    std::size_t i = 0;
    for (const char* head : heads)
      text_ += std::string(i++ < texts ? "<th scope=\"col\" class=\"text\">" : "<th scope=\"col\">") + head + "</th>";
    text_ += "</tr></thead><tbody>\n";
  }
  void add(std::initializer_list<std::string> cells) {
    if (++rows_ > kMostRows) return;
    std::size_t i = 0;
    for (const std::string& cell : cells) {
      text_ += i == 0 ? "<tr><th scope=\"row\">" : i < texts_ ? "<td class=\"text\">" : "<td>";
      text_ += cell + (i == 0 ? "</th>" : "</td>");
      ++i;
    }
    text_ += "</tr>\n";
  }
  // Empty where there are no rows.
  std::string html() const {
    if (!rows_) return {};
    std::string more =
        rows_ > kMostRows ? "<p class=\"footnote\">… and " + count(double(rows_ - kMostRows)) + " more</p>" : "";
    return text_ + "</tbody></table></div>" + more + "</section>\n";
  }

 private:
  std::size_t texts_, rows_ = 0;
  std::string text_;
};

std::string note(const char* title, const std::string& text) {
  return std::string("<section><h2>") + title + "</h2><p class=\"note\">" + text + "</p></section>\n";
}

std::string pair(const std::string& name, const std::string& text, bool wrong = false) {
  return "<div><dt>" + name + "</dt><dd" + (wrong ? " class=\"hot\"" : "") + ">" + text + "</dd></div>\n";
}

// What the counters say since they began, and in the last seconds.
std::string numbers(const TenantParameters& of) {
  using namespace tenant_column;
  const Line& line = of.tenant.lines.front();
  const Values& now = line.now;
  std::string text = "<section><h2>Counters</h2><dl class=\"numbers\">\n";
  text += pair("Keys", number(now[kKeys])) + pair("Connections, most at once", number(now[kConnectionsPeak])) +
          pair("Connections opened", number(now[kConnectionsTotal]));
  text += pair("Commands", number(now[kCommands]));
  for (auto [column, name] : {std::pair(kReads, "that read"),
                              {kWrites, "that write"},
                              {kAdmin, "admin"},
                              {kScripts, "script"},
                              {kPubsub, "pub/sub"}})
    if (now[column] != kAbsent && now[column]) text += pair(std::string("· ") + name, number(now[column]));
  text += pair("CPU time", seconds(now[kCpuUsec])) + pair("Received", size(now[kBytesIn])) +
          pair("Sent", size(now[kBytesOut])) + pair("Slow, 10 ms or more", number(now[kSlow]));
  auto refused = [&](std::size_t column, const std::string& name) {
    bool lately = line.grown[column] != kAbsent && line.grown[column] > 0;
    text += pair(name, number(now[column]), lately);
  };
  refused(kErrors, "Failed");
  refused(kRejected, "Rejected");
  refused(kDenied, "Denied by the ACL");
  for (std::size_t column = kDeniedAuth; column <= kDeniedDatabase; ++column)
    if (now[column] != kAbsent && now[column])
      refused(column, std::string("· for the ") + (columns(Table::kTenants)[column].name + sizeof "denied"));
  refused(kAuthFailures, "Failed logins");
  return text + "</dl></section>\n";
}

std::string prefixes(const TenantParameters& of) {
  if (!of.prefixes) return note("Prefixes", "Not read: <code>--no-collect.prefixes</code>.");
  const View& view = *of.prefixes;
  Section section("Prefixes", {"Prefix", "Memory", "Keys", "Without TTL", "Hit ratio", "Hits/s", "Misses/s",
                               "Expired/s", "Evicted/s"});
  for (const Line& line : view.lines) {
    if (is_own(line.row->kind)) continue;
    auto shown = [&](const char* id) {
      const PageColumn& column = page_column(Table::kPrefixes, id);
      std::optional<double> known = value(view, line, column);
      return known ? format(*known, column.unit) : std::string("–");
    };
    section.add({html(line.name), shown("memory") + error_text(Table::kPrefixes, line.now), shown("keys"),
                 shown("forever"), shown("ratio"), shown("hits"), shown("misses"), shown("expired"), shown("evicted")});
  }
  return section.html();
}

std::string users(const TenantDetails& details) {
  using namespace user_column;
  Section section("Users",
                  {"User", "Connections", "Commands", "Reads", "Writes", "CPU time", "Failed", "Denied", "Slow"});
  std::vector<Row> rows = details.users.rows;
  std::ranges::stable_sort(rows, std::ranges::greater(),
                           [](const Row& row) { return row.values[kCommands] == kAbsent ? 0 : row.values[kCommands]; });
  for (const Row& row : rows) {
    const Values& values = row.values;
    section.add({html(readable(row.name, is_own(row.kind))), number(values[kConnections]), number(values[kCommands]),
                 number(values[kReads]), number(values[kWrites]), seconds(values[kCpuUsec]), number(values[kErrors]),
                 number(values[kDenied]), number(values[kSlow])});
  }
  return section.html();
}

std::string commands(const TenantDetails& details) {
  Section section("Commands", {"Command", "Calls", "Share"});
  std::vector<std::pair<std::string, std::uint64_t>> all = details.most_called();
  double sum = 0;
  for (const auto& [name, calls] : all) sum += static_cast<double>(calls);
  for (const auto& [name, calls] : all)
    section.add({html(name), number(calls), percent(static_cast<double>(calls) / std::max(sum, 1.0) * 100)});
  return section.html();
}

std::string slow(const TenantDetails& details) {
  Section section("Slow commands", {"When", "Command", "Node", "CPU time"}, 3);
  for (const SlowCommand& command : details.slow)
    section.add({moment(static_cast<std::time_t>(command.unix_msec / 1000)), html(command.command),
                 html(shown_address(command.node)), seconds(command.cpu_usec)});
  return section.html();
}

std::string keys(const TenantParameters& of) {
  if (!of.keys)
    return note("Largest keys",
                "Names of keys are not shown here; the exporter's flag <code>--web.keys</code> shows them, "
                "<code>valkey-tenants show</code> always does.");
  if (of.answer->keys_denied)
    return note("Largest keys", "The ACL of the exporter's user does not have <code>+tenants.bigkeys</code>.");
  Section section("Largest keys", {"Key", "Type", "Node", "Database", "Memory"}, 3);
  for (const BigKey& key : of.answer->details.big_keys)
    section.add({html(readable(key.key, false)), html(key.type), html(shown_address(key.node)), std::to_string(key.db),
                 size(key.bytes)});
  return section.html();
}

// Of all keys; a copy's are not among them.
std::string share_of(const Node& node, std::uint64_t keys, std::uint64_t all) {
  bool known = node.data_source && keys != kAbsent && all != kAbsent && all > 0;
  return known ? percent(100 * static_cast<double>(keys) / static_cast<double>(all)) : "–";
}

std::string of_nodes(const TenantParameters& of) {
  using namespace tenant_column;
  const Snapshot& snapshot = of.tenant.reading->snapshot;
  Section section("Nodes", {"Node", "Role", "Memory", "Keys", "Share of keys", "Connections", "Commands", "CPU time"},
                  2);
  std::uint64_t all = of.row().values[kKeys];
  for (const Node& node : snapshot.nodes) {
    if (!node.up) {
      section.add({html(shown_address(node.address)), "<span class=\"hot\">does not answer</span>", "–", "–", "–", "–",
                   "–", "–"});
      continue;
    }
    for (const Row& row : node.rows(Table::kTenants))
      if (!is_own(row.kind) && row.name == of.name)
        section.add({html(shown_address(node.address)), role_name(node.role),
                     size(row.values[kBytes]) + error_text(Table::kTenants, row.values), number(row.values[kKeys]),
                     share_of(node, row.values[kKeys], all), number(row.values[kConnections]),
                     number(row.values[kCommands]), seconds(row.values[kCpuUsec])});
  }
  return section.html();
}

std::string of_answer(const TenantParameters& of) {
  const TenantAnswer* answer = of.answer;
  if (!answer) return note("Users, commands", "Too many ask at once; load the page again.");
  if (answer->get_denied)
    return note("Users, commands, slow commands",
                "The ACL of the exporter's user does not have <code>+tenants.get</code>.") +
           keys(of);
  if (!answer->known) return answer->failure.empty() ? "" : note("Users, commands", html(answer->failure) + ".");
  return commands(answer->details) + keys(of) + slow(answer->details);
}

std::string kind(const Row& row) {
  if (row.kind == Kind::kGroup) return "a group of several users";
  if (row.kind == Kind::kGone) return "it has left the ACL; its connections or keys are still there";
  return "";
}

}  // namespace

std::string tenant_page(const TenantParameters& of) {
  std::string shown = readable(of.name, false), about = kind(of.row());
  bool read = !of.tenant.lines.empty();
  std::string trends = read ? charts(of.tenant, of.tenant.lines.front(),
                                     {"memory", "commands", "cpu", "connections", "in", "out"}, of.history)
                            : "";
  if (read && of.history && of.history->of(of.name, History::kMemory).empty())
    about += std::string(about.empty() ? "" : "; ") + "no trend: it is not among the 500 tenants that weigh most";
  return page_in_shell(
      {.place = Place::kTenant,
       .title = shown,
       .content = fill(assets::kTenantHtml, {{"name", html(shown)},
                                             {"about", html(about)},
                                             {"warning", warning(of.tenant.reading->snapshot)},
                                             {"charts", trends},
                                             {"numbers", read ? numbers(of) : ""},
                                             {"prefixes", prefixes(of)},
                                             {"users", of.answer && of.answer->known ? users(of.answer->details) : ""},
                                             {"rest", of_answer(of)},
                                             {"nodes", of_nodes(of)},
                                             {"footnote", footnote(of.tenant)}}),
       .downloads = "<a href=\"" + tenant_address(Place::kTenant, of.name) +
                    (of.name == "." || of.name == ".." ? "&amp;" : "?") +
                    "format=json\" download=\"tenant.json\">JSON</a>"});
}

std::string no_tenant_page(const std::string& name) {
  return page_in_shell({.place = Place::kTenant,
                        .title = "No such tenant",
                        .content = "<h2 class=\"title\">No such tenant</h2><p>No node knows a tenant <code>" +
                                   html(readable(name.substr(0, 600), false)) +
                                   "</code>. It may have left the ACL. <a href=\"../tenants\">All tenants</a></p>",
                        .downloads = ""});
}

}  // namespace tenants::tool::web
