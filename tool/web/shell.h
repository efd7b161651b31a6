// What all pages have: head, navigation, and the address of everything relative to where the page is, since a proxy may
// put it below any path.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tool/exporter/history.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

using Slots = std::map<std::string_view, std::string>;

// Each {{name}} of the file becomes its slot, which is HTML.
std::string fill(std::string_view file, const Slots& slots);

enum class Place : std::uint8_t { kFront, kTenants, kPrefixes, kTenant };

struct Shell {
  Place place;
  std::string title;      // as text
  std::string content;    // as HTML
  std::string downloads;  // likewise
};
std::string page_in_shell(const Shell& shell);

// "" or "../": from a page of this place to /.
std::string base(Place place);

// The address of a tenant's page. A name of dots has no address of its own: browsers take it for a folder.
std::string tenant_address(Place from, const std::string& name);
// The name as a link to the page of the tenant; HTML.
std::string tenant_link(Place from, const std::string& name);

// A number as people read it.
std::string format(double value, Unit unit);
// " ± 112 KiB", where the error of these bytes is known and not 0; " ± ?" where it is not known. HTML.
std::string error_text(Table table, const Values& values);

// The part of a whole as a class of a cell, which draws a bar: one for each two percent (style()).
std::string bar_class(double part, double whole);

// The nodes as cards; open where one is not up.
std::string nodes(const Snapshot& snapshot, bool open);
// What is missing in the sums; empty where nothing is.
std::string warning(const Snapshot& snapshot);
// When it was read, and what rates are of; HTML.
std::string footnote(const View& view);

// The style of all pages.
const std::string& style();

}  // namespace tenants::tool::web
