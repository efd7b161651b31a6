// Numbers as people read them, and texts that no byte can break out of.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace tenants::tool::web {

std::string html(std::string_view text);  // for text and for attributes in double quotes

std::string encoded(std::string_view text);  // for an address: all but letters, digits and -_. percent-encoded

std::string count(double value);       // 1,234,567; one digit after the point below 10 unless it is whole
std::string rate(double value);        // likewise; <0.1 where it is not 0
std::string bytes(double value);       // 1.41 MiB
std::string percent(double value);     // of a whole number of percent: 12.3 %
std::string duration(double seconds);  // 3 d 4 h, 12 min, 41 s
std::string moment(std::time_t time);  // HTML: 2026-11-29 08:15:00 UTC, which scripts turn into local time

}  // namespace tenants::tool::web
