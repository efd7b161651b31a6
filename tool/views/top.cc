// `top`: who uses most right now, again and again.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "tool/fleet/fleet.h"
#include "tool/views/output.h"
#include "tool/views/top_screen.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

struct RunOptions {
  std::string sort;
  TopOptions shown;
  bool batch = false;
  std::uint64_t frames = 0;  // 0: without end
  double delay = 2;
};

void run_batch(Fleet& fleet, const RunOptions& options) {
  Wanted wanted{.tenants = options.shown.table == Table::kTenants,
                .users = options.shown.table == Table::kUsers,
                .prefixes = options.shown.table == Table::kPrefixes};
  auto next = Clock::now();
  Snapshot before = fleet.read(wanted);
  if (before.nodes_up() == 0) report_incomplete(before);  // throws
  for (std::uint64_t frame = 0; options.frames == 0 || frame < options.frames; ++frame) {
    next += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.delay));
    std::this_thread::sleep_until(next);
    Snapshot now = fleet.read(wanted);
    TopFrame shown = top_frame(&before, now, options.shown);
    std::string text = frame ? "\n" : "";
    std::size_t width = output_width();
    for (const std::string& line : shown.about) text += (width ? cut(line, width) : line) + "\n";
    write_out(text + shown.table.text(width));
    before = std::move(now);
  }
}

int top(const ConnectionOptions& connection, RunOptions options) {
  if (!options.sort.empty()) {
    std::optional<std::size_t> column = find_top_column(options.shown.table, options.sort);
    if (!column) {
      std::string allowed;
      for (const TopColumn& one : top_columns(options.shown.table))
        if (one.show != TopColumn::kShare) allowed += std::string(allowed.empty() ? "" : ", ") + one.header;
      throw Failure(Exit::kUsage, "--sort: unknown column, allowed are " + allowed);
    }
    options.shown.sort = *column;
  }
  Fleet fleet(chosen_targets(connection), connection.timeout());
  if (options.batch) {
    run_batch(fleet, options);
    return static_cast<int>(Exit::kOk);
  }
  if (!::isatty(STDIN_FILENO) || !::isatty(STDOUT_FILENO))
    throw Failure(Exit::kUsage, "top needs a terminal; without one: top -b -n 1");
  Snapshot first = fleet.read({.tenants = false});
  if (first.nodes_up() == 0) report_incomplete(first);  // throws, before the screen is taken
  run_top_screen(fleet, options.shown, std::chrono::duration<double>(options.delay));
  return static_cast<int>(Exit::kOk);
}

}  // namespace

Subcommand add_top(CLI::App& program, const ConnectionOptions& connection) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* app = program.add_subcommand("top", "Show live who uses most; ? for the keys");
  app->footer(
      "  valkey-tenants top                       live; q ends it\n"
      "  valkey-tenants top prefixes -d 5         every five seconds\n"
      "  valkey-tenants top -b -n 3 > use.txt     three times, without a terminal");
  add_table(*app, options->shown.table);
  app->add_option("--sort", options->sort, "Column, as its heading says; the largest first")->type_name("COLUMN");
  app->add_flag("-r,--reverse", options->shown.reverse, "The smallest first");
  app->add_option("--filter", options->shown.filter, "Only names that contain this, or match it if it has * ? [")
      ->type_name("TEXT");
  app->add_flag("-b,--batch", options->batch, "Write plain text, frame after frame");
  app->add_option("-n,--frames", options->frames, "With -b: so many frames (without end)")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
  app->add_option("-d,--delay", options->delay, "Seconds between two readings (2)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0).description(""));
  return {app, [&connection, options] { return top(connection, *options); }};
}

}  // namespace tenants::tool
