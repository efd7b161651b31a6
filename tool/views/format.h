// Numbers for people.
#pragma once

#include <string>
#include <string_view>

#include "tool/snapshot/columns.h"

namespace tenants::tool {

enum class Unit : std::uint8_t { kCount, kBytes, kUsec, kMsec, kShare };

Unit unit_of(Table table, std::size_t column);

// At most six characters: "1234", "56.7k", "1.5M" bytes are of 1024; "2.5s", "3m20s"; a share as "95%". kAbsent: "-".
std::string human(Unit unit, std::uint64_t value);
// The same of a rate per second or a percentage: small ones with a decimal.
std::string human_rate(Unit unit, double value);
// How much it changed: "+1.5M", "-20", "0"; or all digits.
std::string human_change(Unit unit, long long change, bool raw_number);
// All digits: a share as 0.95. kAbsent: "".
std::string raw(Unit unit, std::uint64_t value);
// "2026-11-29 08:15:00", in local time.
std::string local_moment(std::uint64_t unix_msec);
// How large the error is beside the value: "0%", "1.5%"; "?" where the value is known and the error is not.
std::string human_error(std::uint64_t value, std::uint64_t error);

}  // namespace tenants::tool
