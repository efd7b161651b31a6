#include "tool/web/shell.h"

#include <algorithm>
#include <cmath>

#include "tool/exporter/metrics.h"
#include "tool/web/assets.h"
#include "tool/web/format.h"

namespace tenants::tool::web {

namespace {

std::string node_card(const Node& node) {
  std::string address = html(shown_address(node.address));
  if (!node.up)
    return "<li class=\"node down\"><b>" + address + "</b><span>does not answer: " + html(node.failure.what()) +
           "</span></li>\n";
  auto known = [](std::uint64_t value) { return value == kAbsent ? 0.0 : static_cast<double>(value); };
  std::string text = std::string("<li class=\"node ") + role_name(node.role) + "\"><b>" + address + "</b>";
  text += std::string("<span>") + role_name(node.role) + " · " + html(node.status_text("server")) + "</span><span>up " +
          duration(known(node.status_number("uptime_seconds")));
  if (node.used_memory != kAbsent) text += "</span><span>" + bytes(known(node.used_memory));
  if (node.max_memory != kAbsent) text += " of " + bytes(known(node.max_memory));
  std::string_view mode = node.status_text("keys_mode");
  if (!mode.empty() && mode != "exact") text += " · keys " + html(mode);
  return text + "</span></li>\n";
}

std::string navigation(Place place) {
  struct Entry {
    Place place;
    const char *address, *title;
  };
  constexpr Entry kEntries[] = {{Place::kFront, "./", "Overview"},
                                {Place::kTenants, "tenants", "Tenants"},
                                {Place::kPrefixes, "tenants?table=prefixes", "Prefixes"}};
  std::string text;
  for (const Entry& entry : kEntries) {
    text += "<a href=\"" + base(place) + entry.address + "\"";
    if (entry.place == place) text += " aria-current=\"page\"";
    text += std::string(">") + entry.title + "</a>";
  }
  return text;
}

}  // namespace

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

std::string base(Place place) { return place == Place::kTenant ? "../" : ""; }

std::string page_in_shell(const Shell& shell) {
  return fill(assets::kPageHtml, {{"title", html(shell.title)},
                                  {"base", base(shell.place)},
                                  {"version", TENANTS_VERSION},
                                  {"navigation", navigation(shell.place)},
                                  {"downloads", shell.downloads},
                                  {"content", shell.content}});
}

std::string tenant_address(Place from, const std::string& name) {
  bool dots = name.empty() || name == "." || name == "..";
  return base(from) + "tenants/" + (dots ? "?name=" : "") + encoded(name);
}

std::string tenant_link(Place from, const std::string& name) {
  return "<a href=\"" + tenant_address(from, name) + "\">" + html(readable(name, false)) + "</a>";
}

std::string format(double value, Unit unit) {
  switch (unit) {
    case Unit::kBytes:
      return bytes(value);
    case Unit::kGrowth:
      return value == 0 ? "0" : (value > 0 ? "+" : "−") + bytes(std::abs(value));
    case Unit::kBytesPerSecond:
      return bytes(value) + "/s";
    case Unit::kCpu:
    case Unit::kHitRatio:
      return percent(value);
    case Unit::kPerSecond:
      return rate(value);
    default:
      return count(value);
  }
}

std::string error_text(Table table, const Values& values) {
  bool tenants = table == Table::kTenants;
  std::uint64_t size = tenants ? values[tenant_column::kBytes] : values[prefix_column::kBytes];
  std::uint64_t error = tenants ? values[tenant_column::kBytesError] : values[prefix_column::kBytesError];
  if (error == 0 || size == kAbsent) return {};
  return " <small>± " + (error == kAbsent ? "?" : bytes(static_cast<double>(error))) + "</small>";
}

std::string bar_class(double part, double whole) {
  if (whole <= 0 || part <= 0) return {};
  auto step = static_cast<int>(std::lround(std::clamp(part / whole, 0.0, 1.0) * 50));
  return step ? "b b" + std::to_string(step) : std::string();
}

std::string nodes(const Snapshot& snapshot, bool open) {
  open |= snapshot.nodes_up() < snapshot.nodes.size();
  std::string text = open ? "<details open>" : "<details>";
  text += "<summary>" + std::to_string(snapshot.nodes_up()) + " of " + std::to_string(snapshot.nodes.size()) +
          (snapshot.nodes.size() == 1 ? " node is up" : " nodes are up") + "</summary>\n<ul class=\"nodes\">\n";
  for (const Node& node : snapshot.nodes) text += node_card(node);
  return text + "</ul></details>\n";
}

std::string warning(const Snapshot& snapshot) {
  std::vector<std::string> missing = snapshot.incomplete();
  if (missing.empty()) return {};
  std::string text = "<div class=\"warning\"><b>The sums are incomplete.</b> Without:<ul>";
  for (const std::string& each : missing) text += "<li>" + html(each) + "</li>";
  return text + "</ul></div>\n";
}

std::string footnote(const View& view) {
  std::string rates = view.seconds > 0 ? "Rates are of the last " + count(view.seconds) + " seconds."
                                       : "Rates are known from the second look on: load the page again.";
  std::string taken = moment(std::chrono::system_clock::to_time_t(view.reading->snapshot.taken));
  return "<p class=\"footnote\">Read " + taken + " in " + count(std::ceil(view.reading->snapshot.seconds * 1000)) +
         " ms. " + rates + " A dash: the server cannot tell, or not yet.</p>\n";
}

const std::string& style() {
  static const std::string text = [] {
    std::string all(assets::kPageCss);
    for (int i = 1; i <= 50; ++i) all += ".b" + std::to_string(i) + "{--b:" + std::to_string(2 * i) + "%}";
    all += assets::kUplotCss;
    return all;
  }();
  return text;
}

}  // namespace tenants::tool::web
