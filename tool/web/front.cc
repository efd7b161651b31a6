#include "tool/web/front.h"

#include <algorithm>

#include "tool/web/assets.h"
#include "tool/web/format.h"
#include "tool/web/page.h"
#include "tool/web/shell.h"
#include "tool/web/trend.h"

namespace tenants::tool::web {

namespace {

constexpr std::size_t kMostOfAList = 6;

std::string attention(const FrontParameters& of) {
  std::string text = "<ul class=\"attention\" id=\"attention\" aria-label=\"What needs attention\">\n";
  for (const Concern& concern : of.concerns) {
    std::string severity = severity_name(concern.severity);
    text += "<li class=\"" + (severity == "warning" ? "warning-level" : severity) + "\"><b>" + severity + "</b> ";
    text += html(concern.text);
    if (!concern.tenant.empty())
      text += " <a href=\"" + tenant_address(Place::kFront, concern.tenant) + "\">details</a>";
    text += "</li>\n";
  }
  if (of.concerns.empty()) text += "<li class=\"good\"><b>All is well.</b></li>\n";
  text += "</ul>\n";
  return of.unknown.empty() ? text : text + "<p class=\"unknown\">" + of.unknown + "</p>\n";
}

// The tenants with most of one number.
std::string top(const View& view, const History* history, const char* id, const char* title) {
  const PageColumn& of = page_column(Table::kTenants, id);
  std::vector<std::pair<double, const Line*>> lines;
  for (const Line& line : view.lines) {
    std::optional<double> known = value(view, line, of);
    if (!is_own(line.row->kind) && known && *known > 0) lines.emplace_back(*known, &line);
  }
  std::size_t shown = std::min(lines.size(), kMostOfAList);
  std::partial_sort(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(shown), lines.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second->row->name < b.second->row->name;
                    });
  lines.resize(shown);
  std::string text = std::string("<table class=\"top\"><caption><a href=\"tenants?sort=") + id + "\">" + title +
                     "</a></caption><tbody>\n";
  double most = lines.empty() ? 0 : lines.front().first;  // what bars are parts of: of all, they would hardly be seen
  for (const auto& [known, line] : lines) {
    text += "<tr><th scope=\"row\" title=\"" + html(shown_title(*line->row)) + "\">" +
            tenant_link(Place::kFront, line->row->name) + "</th><td>" +
            (history ? spark(history->of(line->row->name, *metric_of(of))) : "") + "</td><td class=\"" +
            bar_class(known, most) + "\">" + format(known, of.unit) + "</td></tr>\n";
  }
  if (lines.empty())
    text += std::string("<tr><td class=\"zero\">") +
            (view.seconds > 0 || of.unit == Unit::kBytes || of.unit == Unit::kGrowth
                 ? "nobody"
                 : "not known yet: load the page again") +
            "</td></tr>";
  return text + "</tbody></table>\n";
}

}  // namespace

std::string front_page(const FrontParameters& of) {
  const auto& [view, concerns, unknown, history, metrics_path] = of;
  std::string tops = top(view, history, "memory", "Most memory") +
                     top(view, history, "growth", "Most growth in five minutes") +
                     top(view, history, "cpu", "Most CPU") + top(view, history, "commands", "Most commands/s");
  return page_in_shell(
      {.place = Place::kFront,
       .title = "Overview",
       .content = fill(assets::kFrontHtml,
                       {{"attention", attention(of)},
                        {"charts", charts(view, view.whole, {"memory", "commands", "cpu", "connections"}, history)},
                        {"tops", tops},
                        {"all", count(double(view.all))},
                        {"nodes", nodes(view.reading->snapshot, true)},
                        {"footnote", footnote(view)},
                        {"metrics", html(metrics_path.substr(1))},
                        {"version", TENANTS_VERSION}}),
       .downloads = "<a href=\"tenants?format=json\" download>JSON</a>"
                    "<a href=\"tenants?format=csv\" download>CSV</a>"});
}

}  // namespace tenants::tool::web
