// The files of this folder, put into the program by CMake (assets.cc.in).
#pragma once

#include <string_view>

namespace tenants::tool::web::assets {

extern const std::string_view kPageHtml, kLandingHtml, kPageCss, kPageJs;

}  // namespace tenants::tool::web::assets
