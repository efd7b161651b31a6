// `top`: who uses most right now, again and again.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "tool/fleet/fleet.h"
#include "tool/views/output.h"
#include "tool/views/text_table.h"
#include "tool/views/top_reading.h"
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

// One frame as plain text. A terminal's columns are kept to; without one all are shown.
std::string frame_text(const TopRows& rows, const TopOptions& options) {
  std::size_t width = output_width(), longest = 0;
  std::vector<std::uint32_t> order = top_order(rows, options);
  for (std::uint32_t row : order) longest = std::max(longest, rows.rows[row].title.size());
  TopLayout layout = top_layout(options, width, longest, false);
  std::string text;
  auto add = [&](const std::string& line) { text += (width ? cut(line, width) : line) + "\n"; };
  add(rows.about);
  for (const Concern& concern : rows.concerns) add(severity_name(concern.severity) + (": " + concern.text));
  for (const std::string& note : rows.notes) add(note);
  text += top_heading(layout, options) + "\n" + top_line(layout, options.table, top_total(rows, order), NAN) + "\n";
  for (std::uint32_t row : order) text += top_line(layout, options.table, rows.rows[row], NAN) + "\n";
  return text;
}

void run_batch(Fleet& fleet, const RunOptions& options) {
  TopReader reader(fleet);
  auto next = Clock::now();
  reader.read(options.shown.table, true);  // rates are of the time since
  for (std::uint64_t frame = 0; options.frames == 0 || frame < options.frames; ++frame) {
    next += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.delay));
    std::this_thread::sleep_until(next);
    TopRows rows = reader.read(options.shown.table, true);
    write_out((frame ? "\n" : "") + frame_text(rows, options.shown));
  }
}

int top(const ConnectionOptions& connection, RunOptions options) {
  if (!options.sort.empty()) {
    std::optional<std::size_t> column = find_top_column(options.shown.table, options.sort);
    if (!column) {
      std::string allowed;
      for (const TopColumn& one : top_columns(options.shown.table))
        allowed += std::string(allowed.empty() ? "" : ", ") + one.header;
      throw Failure(Exit::kUsage, "--sort: unknown column, allowed are " + allowed);
    }
    options.shown.sort = *column;
  }
  Fleet fleet(chosen_targets(connection), connection.timeout());
  Snapshot first = fleet.read(only(options.shown.table));
  if (first.nodes_up() == 0) report_incomplete(first);  // throws
  if (options.batch || !::isatty(STDOUT_FILENO)) {
    run_batch(fleet, options);
    return static_cast<int>(Exit::kOk);
  }
  if (!::isatty(STDIN_FILENO)) throw Failure(Exit::kUsage, "top needs a terminal for its keys; without one: top -b");
  run_top_screen(fleet, options.shown, std::chrono::duration<double>(options.delay), options.frames);
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
  app->add_flag("-b,--batch", options->batch,
                "Write plain text, frame after frame: so it is where stdout is no terminal");
  app->add_option("-n,--frames", options->frames, "So many frames (without end)")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
  app->add_option("-d,--delay", options->delay, "Seconds between two readings (2)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0).description(""));
  return {app, [&connection, options] { return top(connection, *options); }};
}

}  // namespace tenants::tool
