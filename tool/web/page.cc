#include "tool/web/page.h"

#include <algorithm>
#include <initializer_list>

#include "tool/web/assets.h"
#include "tool/web/format.h"
#include "tool/web/shell.h"
#include "tool/web/trend.h"

namespace tenants::tool::web {

namespace {

std::string top_text(std::size_t top) { return top == Request::kAll ? "all" : std::to_string(top); }

const char* table_name(Table table) { return table == Table::kTenants ? "tenants" : "prefixes"; }

Place place(const Request& request) { return request.table == Table::kTenants ? Place::kTenants : Place::kPrefixes; }

// The address of this page with another order.
std::string link(const Request& request, const PageColumn& sort, bool ascending) {
  std::string query = std::string("tenants?table=") + table_name(request.table) + "&sort=" + sort.id +
                      "&order=" + (ascending ? "asc" : "desc") + "&top=" + top_text(request.top);
  return request.search.empty() ? query : query + "&q=" + encoded(request.search);
}

bool is_text(const PageColumn& column) { return column.unit == Unit::kName || column.unit == Unit::kOwner; }

struct Shown {
  const View& view;
  const Request& request;
  const History* history;
  std::optional<History::Metric> metric;  // of the column of trends; nothing: there is none
  std::vector<double> wholes;             // of each column, what bars are parts of; 0: no bars
};

std::string classes(std::initializer_list<std::string> all) {
  std::string text;
  for (const std::string& each : all)
    if (!each.empty()) text += (text.empty() ? "" : " ") + each;
  return text.empty() ? "" : " class=\"" + text + "\"";
}

std::string cell(const Shown& shown, const Line& line, std::size_t number, bool bar) {
  const PageColumn& column = page_columns(shown.request.table)[number];
  if (column.unit == Unit::kOwner) {
    bool link = !line.owner.empty() && line.row && line.row->owner != "(orphans)";
    return "<td class=\"text\">" + (link ? tenant_link(Place::kPrefixes, line.row->owner) : html(line.owner)) + "</td>";
  }
  std::string minor = column.minor ? "minor" : "";
  std::optional<double> known = value(shown.view, line, column);
  if (!known) return "<td" + classes({"zero", minor}) + ">–</td>";
  bool wrong = column.id == std::string_view("denied") || column.id == std::string_view("errors");
  std::string text = "<td" + classes({*known == 0 ? "zero"
                                      : wrong     ? "hot"
                                                  : "",
                                      minor, bar ? bar_class(*known, shown.wholes[number]) : ""});
  text += ">" + format(*known, column.unit);
  bool told = line.row && line.row->kind == Kind::kOverhead;  // by the server, not estimated
  if (column.unit == Unit::kBytes && !told) text += error_text(shown.request.table, line.now);
  return text + "</td>";
}

std::string trend(const Shown& shown, const Line& line) {
  if (!shown.metric) return {};
  History::Series series;
  if (line.row && !is_own(line.row->kind)) series = shown.history->of(line.row->name, *shown.metric);
  return "<td>" + spark(series) + "</td>";
}

std::string cells(const Shown& shown, const Line& line, bool bar) {
  std::string text;
  for (std::size_t i = 1; i < page_columns(shown.request.table).size(); ++i) text += cell(shown, line, i, bar);
  return text + trend(shown, line) + "</tr>\n";
}

std::string row(const Shown& shown, const Line& line) {
  const Row& row = *line.row;
  bool own = is_own(row.kind), tenants = shown.request.table == Table::kTenants;
  return std::string(own ? "<tr class=\"own\">" : "<tr>") + "<th scope=\"row\" title=\"" + html(shown_title(row)) +
         "\">" + (tenants && !own ? tenant_link(Place::kTenants, row.name) : html(line.name)) + "</th>" +
         cells(shown, line, !own);
}

std::string head(const Shown& shown) {
  const Request& request = shown.request;
  std::string text;
  for (const PageColumn& column : page_columns(request.table)) {
    bool sorted = &column == request.sort;
    bool ascending = sorted ? !request.ascending : is_text(column);
    text += std::string("<th scope=\"col\" data-sort=\"") + column.id + "\"" +
            classes({is_text(column) ? "text" : "", column.minor && !sorted ? "minor" : ""});
    if (sorted) text += std::string(" aria-sort=\"") + (request.ascending ? "ascending" : "descending") + "\"";
    text += "><a href=\"" + html(link(request, column, ascending)) + "\" title=\"" + html(column.help) + "\">" +
            html(column.title) + "</a></th>";
  }
  if (!shown.metric) return text;
  const char* of = metric_of(*request.sort) ? request.sort->title : "Memory";
  return text + "<th scope=\"col\" title=\"" + of + " in the last ten minutes\">Trend</th>";
}

std::string table(const Shown& shown) {
  const auto& [view, request, history, metric, wholes] = shown;
  std::size_t left_out = view.found - std::min(view.found, request.top);
  std::string text = "<table";
  if (view.lines.size() > 1000) text += " class=\"long\"";
  text += ">\n<thead><tr>" + head(shown) + "</tr></thead>\n<tbody>\n";
  for (const Line& line : view.lines) text += row(shown, line);
  text += "</tbody>\n<tfoot>\n";
  if (left_out)
    text += "<tr><th scope=\"row\">" + count(static_cast<double>(left_out)) + " more</th>" +
            cells(shown, view.left_out, true);
  text += std::string("<tr><th scope=\"row\">") + (request.search.empty() ? "Total" : "Total of what matches") +
          "</th>" + cells(shown, view.total, false);
  return text + "</tfoot>\n</table>";
}

std::string tiles(const View& view, const Request& request) {
  std::string text = "<dl class=\"tiles\">\n";
  for (const PageColumn& column : page_columns(request.table)) {
    if (!column.tile) continue;
    std::optional<double> known = value(view, view.whole, column);
    text += "<div><dt>" + html(column.title) + "</dt><dd>" + (known ? format(*known, column.unit) : "–") +
            (known && column.unit == Unit::kBytes ? error_text(request.table, view.whole.now) : "") + "</dd></div>\n";
  }
  return text + "</dl>";
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
  const char* one = request.table == Table::kTenants ? " tenant" : " prefix";
  const char* many = request.table == Table::kTenants ? " tenants" : " prefixes";
  std::string all = count(double(view.all)) + (view.all == 1 ? one : many);
  return request.search.empty() ? all : count(double(view.found)) + " of " + all;
}

}  // namespace

std::string charts(const View& view, const Line& line, std::initializer_list<const char*> columns,
                   const History* history) {
  std::string text;
  for (const char* id : columns) {
    const PageColumn& column = page_column(Table::kTenants, id);
    std::optional<double> now = value(view, line, column);
    std::string shown = now ? format(*now, column.unit) : "–";
    if (now && column.unit == Unit::kBytes) shown += error_text(Table::kTenants, line.now);
    History::Series series;
    History::Metric metric = *metric_of(column);
    if (history) series = line.row ? history->of(line.row->name, metric) : history->of_all(metric);
    text += chart({column.title, shown, column.unit, now, std::move(series)},
                  history ? history->times() : std::vector<double>());
  }
  return text;
}

std::optional<History::Metric> metric_of(const PageColumn& column) {
  constexpr std::pair<std::string_view, History::Metric> kMetrics[] = {{"memory", History::kMemory},
                                                                       {"growth", History::kMemory},
                                                                       {"keys", History::kKeys},
                                                                       {"connections", History::kConnections},
                                                                       {"commands", History::kCommands},
                                                                       {"cpu", History::kCpu},
                                                                       {"in", History::kIn},
                                                                       {"out", History::kOut},
                                                                       {"errors", History::kRefused},
                                                                       {"denied", History::kRefused}};
  for (const auto& [id, metric] : kMetrics)
    if (id == column.id) return metric;
  return std::nullopt;
}

std::string page(const View& view, const Request& request, const History* history) {
  Shown shown{.view = view, .request = request, .history = history, .metric = std::nullopt, .wholes = {}};
  if (history && request.table == Table::kTenants && !history->times().empty())
    shown.metric = metric_of(*request.sort).value_or(History::kMemory);
  for (const PageColumn& column : page_columns(request.table))
    shown.wholes.push_back(column.share ? value(view, view.whole, column).value_or(0) : 0);
  const char* title = request.table == Table::kTenants ? "Tenants" : "Prefixes";
  return page_in_shell({.place = place(request),
                        .title = title,
                        .content = fill(assets::kTableHtml, {{"title", title},
                                                             {"warning", warning(view.reading->snapshot)},
                                                             {"tiles", tiles(view, request)},
                                                             {"nodes", nodes(view.reading->snapshot, false)},
                                                             {"fields", fields(request)},
                                                             {"query", html(request.search)},
                                                             {"tops", tops(request)},
                                                             {"count", counted(view, request)},
                                                             {"table", table(shown)},
                                                             {"footnote", footnote(view)}}),
                        .downloads = downloads(request)});
}

}  // namespace tenants::tool::web
