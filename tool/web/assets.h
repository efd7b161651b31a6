// The files of this folder, put into the program by CMake (assets.cc.in); and uPlot, empty where it was not to be had.
#pragma once

#include <string_view>

namespace tenants::tool::web::assets {

extern const std::string_view kPageHtml, kFrontHtml, kTableHtml, kTenantHtml, kPageCss, kPageJs, kUplotCss, kUplotJs;

}  // namespace tenants::tool::web::assets
