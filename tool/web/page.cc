#include "tool/web/page.h"

#include <algorithm>
#include <initializer_list>
#include <map>

#include "tool/exporter/metrics.h"
#include "tool/web/assets.h"
#include "tool/web/format.h"

namespace tenants::tool::web {

namespace {

using Slots = std::map<std::string_view, std::string>;

// Each {{name}} of the file becomes its slot, which is HTML.
std::string fill(std::string_view file, const Slots& slots) {
  std::string text;
  while (true) {
    std::size_t begin = file.find("{{");
    text += file.substr(0, begin);
    if (begin == std::string_view::npos) return text;
    std::size_t end = file.find("}}", begin);
    text += slots.at(file.substr(begin + 2, end - begin - 2));
    file.remove_prefix(end + 2);
  }
}

std::string encoded(std::string_view text) {  // for a query
  std::string query;
  for (char c : text) {
    static constexpr const char* kHex = "0123456789ABCDEF";
    auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_' || c == '.')
      query += c;
    else
      query.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return query;
}

std::string top_text(std::size_t top) { return top == Request::kAll ? "all" : std::to_string(top); }

const char* table_name(Table table) { return table == Table::kTenants ? "tenants" : "prefixes"; }

// The address of this page with another order.
std::string link(const Request& request, const PageColumn& sort, bool ascending) {
  std::string query = std::string("tenants?table=") + table_name(request.table) + "&sort=" + sort.id +
                      "&order=" + (ascending ? "asc" : "desc") + "&top=" + top_text(request.top);
  return request.search.empty() ? query : query + "&q=" + encoded(request.search);
}

std::string format(double value, Unit unit) {
  switch (unit) {
    case Unit::kBytes:
      return bytes(value);
    case Unit::kBytesPerSecond:
      return bytes(value) + "/s";
    case Unit::kCpu:
    case Unit::kHitRatio:
      return percent(value);
    default:
      return count(value);
  }
}

std::string error_text(const Request& request, const Line& line, const PageColumn& column) {
  if (column.unit != Unit::kBytes) return {};
  bool tenants = request.table == Table::kTenants;
  std::uint64_t error =
      line.now[tenants ? std::size_t{tenant_column::kBytesError} : std::size_t{prefix_column::kBytesError}];
  if (error == kAbsent || error == 0) return {};
  return " <small>± " + bytes(static_cast<double>(error)) + "</small>";
}

std::string cell(const View& view, const Request& request, const Line& line, const PageColumn& column, bool bar) {
  if (column.unit == Unit::kOwner) return "<td class=\"text\">" + html(line.owner) + "</td>";
  std::optional<double> known = value(view, line, column);
  if (!known) return "<td class=\"unknown\" title=\"not known\">–</td>";
  std::string text = "<td data-v=\"" + std::to_string(*known) + "\"";
  bool alarming = column.id == std::string_view("denied") || column.id == std::string_view("errors");
  if (*known == 0)
    text += " class=\"zero\"";
  else if (alarming)
    text += " class=\"hot\"";
  text += ">" + format(*known, column.unit) + error_text(request, line, column);
  double whole = value(view, view.whole, column).value_or(0);
  if (bar && column.share && whole > 0) {
    double share = std::clamp(*known / whole, 0.0, 1.0) * 100;
    text += "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" +
            percent(share) + " of all\"><title>" + percent(share) + " of all</title><rect width=\"" +
            std::to_string(share) + "\" height=\"1\"/></svg>";
  }
  return text + "</td>";
}

std::string row(const View& view, const Request& request, const Line& line, const std::string& name, bool bar) {
  std::string text = "<th scope=\"row\" title=\"" + html(name) + "\">" + html(name) + "</th>";
  for (const PageColumn& column : page_columns(request.table).subspan(1))
    text += cell(view, request, line, column, bar);
  return text + "<td hidden></td></tr>\n";
}

std::string head(const Request& request) {
  std::string text;
  for (const PageColumn& column : page_columns(request.table)) {
    bool sorted = &column == request.sort, is_text = column.unit == Unit::kName || column.unit == Unit::kOwner;
    bool ascending = sorted ? !request.ascending : is_text;
    text += std::string("<th scope=\"col\" data-sort=\"") + column.id + "\"" + (is_text ? " class=\"text\"" : "");
    if (sorted) text += std::string(" aria-sort=\"") + (request.ascending ? "ascending" : "descending") + "\"";
    text += "><a href=\"" + html(link(request, column, ascending)) + "\" title=\"" + html(column.help) + "\">" +
            html(column.title) + "</a></th>";
  }
  return text + "<th scope=\"col\" hidden>Trend</th>";
}

std::string table(const View& view, const Request& request) {
  std::size_t left_out = view.found - std::min(view.found, request.top);
  std::string text = "<table";
  if (left_out) text += " data-cut";
  text += ">\n<thead><tr>" + head(request) + "</tr></thead>\n<tbody>\n";
  for (const Line& line : view.lines) {
    text += is_own(line.row->kind) ? "<tr class=\"own\">" : "<tr>";
    text += row(view, request, line, line.name, true);
  }
  text += "</tbody>\n<tfoot>\n";
  if (left_out)
    text += "<tr>" + row(view, request, view.left_out, count(static_cast<double>(left_out)) + " more", true);
  text += "<tr>" + row(view, request, view.total, request.search.empty() ? "Total" : "Total of what matches", false);
  return text + "</tfoot>\n</table>";
}

std::string text_of(const Node& node, std::string_view field) {
  auto found = node.status.find(field);
  return found == node.status.end() ? std::string() : found->second;
}

std::string node_card(const Node& node) {
  std::string address = html(shown_address(node.address));
  if (!node.up)
    return "<li class=\"node down\"><b>" + address + "</b><span>does not answer: " + html(node.failure.what()) +
           "</span></li>\n";
  auto known = [](std::uint64_t value) { return value == kAbsent ? 0.0 : static_cast<double>(value); };
  std::string text = std::string("<li class=\"node ") + role_name(node.role) + "\"><b>" + address + "</b>";
  text += std::string("<span>") + role_name(node.role) + " · " + html(text_of(node, "server")) + "</span><span>up " +
          duration(known(node.status_number("uptime_seconds")));
  if (node.used_memory != kAbsent) text += " · " + bytes(known(node.used_memory));
  if (node.max_memory != kAbsent) text += " of " + bytes(known(node.max_memory));
  std::string mode = text_of(node, "keys_mode");
  if (!mode.empty() && mode != "exact") text += " · keys " + html(mode);
  return text + "</span></li>\n";
}

std::string nodes(const Snapshot& snapshot) {
  constexpr std::size_t kMostOpen = 12;
  std::string text = snapshot.nodes.size() <= kMostOpen ? "<details open>" : "<details>";
  text += "<summary>" + std::to_string(snapshot.nodes_up()) + " of " + std::to_string(snapshot.nodes.size()) +
          (snapshot.nodes.size() == 1 ? " node is up" : " nodes are up") + "</summary>\n<ul class=\"nodes\">\n";
  for (const Node& node : snapshot.nodes) text += node_card(node);
  return text + "</ul></details>";
}

std::string warning(const Snapshot& snapshot) {
  std::vector<std::string> missing = snapshot.incomplete();
  if (missing.empty()) return {};
  std::string text = "<div class=\"warning\" role=\"status\"><b>The sums are incomplete.</b> Without:<ul>";
  for (const std::string& each : missing) text += "<li>" + html(each) + "</li>";
  return text + "</ul></div>";
}

std::string tiles(const View& view, const Request& request) {
  std::string text = "<dl class=\"tiles\">\n";
  for (const PageColumn& column : page_columns(request.table)) {
    if (!column.tile) continue;
    std::optional<double> known = value(view, view.whole, column);
    text += "<div><dt>" + html(column.title) + "</dt><dd>" +
            (known ? format(*known, column.unit) + error_text(request, view.whole, column) : "–") + "</dd></div>\n";
  }
  return text + "</dl>";
}

std::string tabs(const Request& request) {
  std::string text;
  for (auto [table, title] : {std::pair(Table::kTenants, "Tenants"), {Table::kPrefixes, "Prefixes"}}) {
    text += std::string("<a href=\"tenants?table=") + table_name(table) + "\"";
    if (table == request.table) text += " aria-current=\"page\"";
    text += std::string(">") + title + "</a>";
  }
  return text;
}

std::string downloads(const Request& request) {
  std::string address = html(link(request, *request.sort, request.ascending)), text;
  for (auto [format, title] : {std::pair("json", "JSON"), {"csv", "CSV"}})
    text += "<a href=\"" + address + "&amp;format=" + format + "\" download>" + title + "</a>";
  return text;
}

std::string fields(const Request& request) {
  auto field = [](const char* name, const char* value) {
    return std::string("<input type=\"hidden\" name=\"") + name + "\" value=\"" + value + "\">";
  };
  return field("table", table_name(request.table)) + field("sort", request.sort->id) +
         field("order", request.ascending ? "asc" : "desc");
}

std::string tops(const Request& request) {
  std::vector<std::size_t> choices{50, 200, 1000, Request::kAll};
  if (std::ranges::find(choices, request.top) == choices.end()) choices.insert(choices.begin(), request.top);
  std::string text;
  for (std::size_t top : choices) {
    text += top == request.top ? "<option selected>" : "<option>";
    text += top_text(top) + "</option>";
  }
  return text;
}

std::string counted(const View& view, const Request& request) {
  std::string what = request.table == Table::kTenants ? " tenants" : " prefixes", all = count(double(view.all)) + what;
  if (request.search.empty()) return all;
  return count(double(view.found)) + " of " + all;
}

std::string footnote(const View& view) {
  std::string rates = view.seconds > 0 ? "Rates are of the last " + count(view.seconds) + " seconds."
                                       : "Rates are known from the second look on: load the page again.";
  std::time_t taken = std::chrono::system_clock::to_time_t(view.reading->snapshot.taken);
  std::tm parts{};
  gmtime_r(&taken, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%F %T", &parts);
  return "Read " + std::string(time) + " UTC in " + count(view.reading->snapshot.seconds * 1000) + " ms. " + rates +
         " A dash: the server cannot tell, or not yet.";
}

}  // namespace

std::string page(const View& view, const Request& request) {
  const Snapshot& snapshot = view.reading->snapshot;
  return fill(assets::kPageHtml, {{"title", request.table == Table::kTenants ? "Tenants" : "Prefixes"},
                                  {"version", TENANTS_VERSION},
                                  {"tabs", tabs(request)},
                                  {"downloads", downloads(request)},
                                  {"warning", warning(snapshot)},
                                  {"tiles", tiles(view, request)},
                                  {"nodes", nodes(snapshot)},
                                  {"fields", fields(request)},
                                  {"query", html(request.search)},
                                  {"tops", tops(request)},
                                  {"count", counted(view, request)},
                                  {"table", table(view, request)},
                                  {"footnote", footnote(view)}});
}

std::string landing_page(const std::string& metrics_path) {
  std::string_view path(metrics_path);
  return fill(assets::kLandingHtml, {{"version", TENANTS_VERSION}, {"metrics", html(path.substr(1))}});
}

std::string_view style() { return assets::kPageCss; }
std::string_view script() { return assets::kPageJs; }

}  // namespace tenants::tool::web
