// Where views write to: data to stdout, messages to stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

// To stdout, at once. Where nobody reads it any more the program ends as any other does, by SIGPIPE; throws Failure
// kError where it cannot be written.
void write_out(std::string_view text);

// A line to stderr, with the program's name before it.
void say(const std::string& message);

// How many columns stdout has: of a terminal, else without limit (0).
std::size_t output_width();

// How many lines it has, likewise.
std::size_t output_lines();

// Colours and cursor movements are welcome: a terminal, no NO_COLOR, no TERM=dumb.
bool colours_welcome();

// Says on stderr which nodes are not in the numbers. Returns the exit code for the view: kOk if all are, kError if
// some are not; throws the first node's Failure if none is.
int report_incomplete(const Snapshot& snapshot);

}  // namespace tenants::tool
