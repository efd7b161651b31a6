// What `check` compares with, as people write it: "any > 500MB", "shop* > 80% of maxmemory warn", "app1 > 100 in 5m".
//
//   [prefix] WHO OPERATOR NUMBER [UNIT] [of maxmemory] [in 10s|1m|5m] [warn|crit]
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tenants::tool {

// Of what a number is; each is an option of `check`.
enum class Measure : std::uint8_t {
  kMemory,
  kKeys,
  kConnections,
  kHitRatio,
  kCpu,
  kCommands,
  kErrors,
  kDenied,
  kGrowth,
  kOrphans,
};

struct MeasureOption {
  Measure measure;
  const char* name;  // of the option, without --
  const char* help;
};
std::span<const MeasureOption> measures();
const char* measure_name(Measure measure);

struct Threshold {
  enum class Who : std::uint8_t { kAny, kTotal, kName, kGlob };
  enum class Operator : std::uint8_t { kMore, kAtLeast, kLess, kAtMost };
  enum class Of : std::uint8_t { kBytes, kMaxmemory, kCount, kRatio, kPercent, kPerSecond };

  Measure measure = Measure::kMemory;
  Who who = Who::kAny;
  bool prefix = false;  // of prefixes, not of tenants
  std::string name;     // or a glob; bytes as they are, and as they were written
  std::string written;
  Operator is = Operator::kMore;
  Of of = Of::kCount;
  double limit = 0;  // in bytes, keys, hits per look-up, percent, per second
  double scale = 1;  // of the unit it was written in
  std::string unit;  // as it was written: "MB", "/s"
  int window = 0;    // seconds; 0: now
  bool warning = false;

  bool beyond(double value) const;
  bool too_small() const { return is == Operator::kLess || is == Operator::kAtMost; }
  // "any", "shop*", of this row? `shown` is the name as tables show it.
  bool means(std::string_view row, std::string_view shown, bool own_row) const;
  // In the unit it was written in: "612.5MB", and "> 500MB in 5m".
  std::string value_text(double value) const;
  std::string limit_text() const;
  // The same for plug-ins, which say what is fine: "500000000", "0.5:", "@10:".
  std::string range() const;
};

// Throws Failure kUsage: what is wrong in which column, and what is allowed. O(length).
Threshold parse_threshold(Measure measure, std::string_view sentence);

// All digits, at most three behind the point.
std::string plain_number(double value);

}  // namespace tenants::tool
