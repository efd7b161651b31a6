// What needs an operator's attention right now, in sentences: for the head of `top` and of the web page.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tool/fleet/window.h"

namespace tenants::tool {

// What the servers remember of the last seconds, as attention() looks at it. Either may be empty.
struct Recent {
  std::vector<Window> now;           // of 10 s: commands, errors, denials, CPU
  std::vector<Window> five_minutes;  // memory and how it changed
};

// By read_windows(): the `rows` tenants with most of each of these, so 10 are enough to find the worst among any number
// of them.
Recent read_recent(Fleet& fleet, std::size_t rows);

enum class Severity : std::uint8_t { kCritical, kWarning, kNotice };
const char* severity_name(Severity severity);  // "critical", "warning", "notice"

struct Concern {
  Severity severity;
  std::string text;    // one sentence without a full stop, printable ASCII: names are escaped
  std::string tenant;  // whom it is about, the name's bytes as they are; empty: nobody
};

// What is known; `grown` is growth(before, now) and may be null, `grown_seconds` seconds_between() them. It says what
// `recent` does not: use where that is empty, and whose keys are evicted where it holds the prefixes.
struct Evidence {
  const Snapshot& now;
  const Recent& recent;
  const Snapshot* grown = nullptr;
  double grown_seconds = 0;
};

// The most urgent first, four at most; empty where all is well. In this order within a severity: nodes that are down;
// keys that are being counted; memory at 90 % of maxmemory or more; the tenant that grew most, by 1 MiB at least, where
// that is a hundredth of the node's memory or fills it within an hour; errors and denials of the last 10 s; a tenant
// that takes more than half of a core of a node. What a server loads or counts for the first time is no growth. Pure;
// O(nodes + rows).
std::vector<Concern> attention(const Evidence& evidence);

}  // namespace tenants::tool
