// How a subcommand is put into the program: a function `Subcommand add_<name>(CLI::App& program, const
// ConnectionOptions& connection)` declares its options on a subcommand of `program`, and says what to run if the
// operator chose it. By then `connection` is filled in: `Fleet fleet(chosen_targets(connection),
// connection.timeout())`. Its description is one line; its footer holds examples, which the help shows first.
#pragma once

#include <functional>

#include "tool/client/failure.h"
#include "tool/client/options.h"

namespace CLI {
class App;
}

namespace tenants::tool {

struct Subcommand {
  CLI::App* app;
  std::function<int()> run;  // returns the exit code, or throws Failure
};

}  // namespace tenants::tool
