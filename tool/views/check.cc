// `check`: thresholds, as a plug-in for Nagios, Icinga and all that understand these: one line, performance data after
// a bar, and the exit codes 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "module/accounting/glob.h"
#include "tool/fleet/fleet.h"
#include "tool/fleet/window.h"
#include "tool/snapshot/sum.h"
#include "tool/views/format.h"
#include "tool/views/output.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

enum State : int { kFine = 0, kWarning = 1, kCritical = 2, kUnknownState = 3 };
constexpr const char* kStates[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

constexpr std::size_t kMostSaid = 10, kMostData = 20;  // rows named in the line, and in the performance data

enum Measure : std::size_t { kBytes, kMemoryPercent, kKeys, kConnections, kCpuPercent, kHitRatio, kMeasures };

struct Threshold {
  const char* name;
  const char* help;
  const char* unit;  // of performance data
  bool least;        // the value must not be below it
  bool tenants, prefixes;
};
constexpr Threshold kThresholds[kMeasures] = {
    {"bytes", "memory, e.g. 500mb", "B", false, true, true},
    {"memory-percent", "memory, of the maxmemory of all primaries", "%", false, true, true},
    {"keys", "keys", "", false, true, true},
    {"connections", "connections", "", false, true, false},
    {"cpu-percent", "CPU of the last minute, of one core, on the node where it is most", "%", false, true, false},
    {"hit-ratio", "hits / (hits + misses), 0 to 1; too low", "", true, false, true},
};

struct CheckOptions {
  std::string tenant = "*";
  bool prefixes = false;
  std::array<std::string, kMeasures> warn_text, crit_text;
};

using Limits = std::array<std::optional<double>, kMeasures>;

double parse_limit(const Threshold& threshold, const std::string& option, const std::string& text) {
  if (std::string_view(threshold.name) == "bytes") {
    if (std::optional<std::uint64_t> bytes = parse_bytes(text)) return static_cast<double>(*bytes);
    throw Failure(Exit::kUsage, option + ": allowed is a size as in valkey.conf, 500mb");
  }
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0))
    throw Failure(Exit::kUsage, option + ": allowed is a number, 0 or more");
  return value;
}

Limits read_limits(const CheckOptions& options, const std::array<std::string, kMeasures>& texts, const char* prefix) {
  Limits limits;
  for (std::size_t i = 0; i < kMeasures; ++i) {
    if (texts[i].empty()) continue;
    std::string option = std::string("--") + prefix + kThresholds[i].name;
    if (options.prefixes ? !kThresholds[i].prefixes : !kThresholds[i].tenants)
      throw Failure(Exit::kUsage, option + (options.prefixes ? " is of tenants, not of --prefixes"
                                                             : " is of prefixes, add --prefixes"));
    limits[i] = parse_limit(kThresholds[i], option, texts[i]);
  }
  return limits;
}

// No bar, which begins the performance data.
std::string plugin_text(std::string text) {
  for (std::size_t at; (at = text.find('|')) != std::string::npos;) text.replace(at, 1, "%7C");
  return text;
}

std::string number(double value) {
  std::array<char, 64> text{};
  auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 2);
  std::string all(text.data(), end);
  all.erase(all.find_last_not_of('0') + 1);
  if (all.ends_with('.')) all.pop_back();
  return all;
}

std::string for_people(std::size_t measure, double value) {
  if (measure == kBytes) return human(Unit::kBytes, static_cast<std::uint64_t>(value));
  return number(value) + (std::string_view(kThresholds[measure].unit) == "%" ? "%" : "");
}

std::string performance(const std::string& label, std::size_t measure, std::optional<double> value, const Limits& warn,
                        const Limits& crit) {
  std::string quoted;
  for (char c : plugin_text(label)) quoted += c == '\'' ? "''" : std::string(1, c);
  auto limit = [&](const std::optional<double>& one) {
    return one ? number(*one) + (kThresholds[measure].least ? ":" : "") : "";
  };
  return " '" + quoted + "'=" + (value ? number(*value) + kThresholds[measure].unit : "U") + ";" +
         limit(warn[measure]) + ";" + limit(crit[measure]) + ";0";
}

// The value of each measure of one row; nothing where it is not known.
using Measured = std::array<std::optional<double>, kMeasures>;

class Check {
 public:
  Check(const ConnectionOptions& connection, const CheckOptions& options)
      : options_(options),
        warn_(read_limits(options, options.warn_text, "warn-")),
        crit_(read_limits(options, options.crit_text, "crit-")),
        fleet_(chosen_targets(connection), connection.timeout()) {}

  int run() {
    Table table = options_.prefixes ? Table::kPrefixes : Table::kTenants;
    Snapshot snapshot = fleet_.read({.tenants = !options_.prefixes, .prefixes = options_.prefixes});
    if (snapshot.nodes_up() == 0) report_incomplete(snapshot);  // throws
    std::vector<Row> rows = sum(snapshot, table).rows;
    bool own = options_.tenant.starts_with('(');  // the module's own rows, only where they are meant
    std::erase_if(rows, [&](const Row& row) { return is_own(row.kind) != own || !matches(options_.tenant, row.name); });
    std::vector<Measured> measured = measure(snapshot, table, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) judge(shown_title(rows[i]), measured[i]);
    for (const std::string& line : snapshot.incomplete()) raise(kCritical, "no answer from " + line);
    const char* what = options_.prefixes ? "prefixes" : "tenants";
    if (rows.empty() && options_.tenant != "*") raise(kUnknownState, std::string("no ") + what + " match");
    std::string line = std::string("TENANTS ") + kStates[state()] + " - ";
    std::size_t said = 0;
    for (State one : {kCritical, kWarning, kUnknownState})
      for (const std::string& problem : problems_[one])
        if (said++ < kMostSaid) line += (said > 1 ? ", " : "") + plugin_text(problem);
    if (said > kMostSaid) line += ", and " + std::to_string(said - kMostSaid) + " more";
    if (said) line += "; ";
    line += std::to_string(rows.size()) + " " + what + " on " + std::to_string(snapshot.nodes_up()) + " nodes";
    write_out(line + " |" + performance_data(rows, measured) + "\n");
    return state();
  }

 private:
  bool wants(std::size_t measure) const { return warn_[measure] || crit_[measure]; }

  std::vector<Measured> measure(const Snapshot& snapshot, Table table, const std::vector<Row>& rows) {
    std::uint64_t limit = 0;  // bytes, of all primaries
    for (const Node& node : snapshot.nodes)
      if (node.data_source && limit != kAbsent) limit = node.max_memory == kAbsent ? kAbsent : limit + node.max_memory;
    std::vector<Window> windows;
    if (wants(kCpuPercent)) windows = read_windows(fleet_, 60);
    std::vector<Measured> all;
    for (const Row& row : rows) {
      Measured& of = all.emplace_back();
      auto known = [](std::uint64_t value) {
        return value == kAbsent ? std::nullopt : std::optional<double>(static_cast<double>(value));
      };
      bool prefix = table == Table::kPrefixes;
      of[kBytes] = known(row.values[*find_column(table, "bytes")]);
      of[kKeys] = known(row.values[*find_column(table, "keys")]);
      if (of[kBytes] && limit != kAbsent && limit) of[kMemoryPercent] = *of[kBytes] * 100 / static_cast<double>(limit);
      if (prefix) {
        if (row.values[prefix_column::kHitRatio] != kAbsent)
          of[kHitRatio] = static_cast<double>(row.values[prefix_column::kHitRatio]) / 1000;
        continue;
      }
      of[kConnections] = known(row.values[tenant_column::kConnections]);
      for (const Window& window : windows)
        if (std::optional<double> rate = window.rate(row, tenant_column::kCpuUsec))
          of[kCpuPercent] = std::max(of[kCpuPercent].value_or(0), *rate / 1e4);
    }
    return all;
  }

  void judge(const std::string& name, const Measured& measured) {
    for (std::size_t i = 0; i < kMeasures; ++i) {
      if (!wants(i)) continue;
      if (!measured[i]) {
        if (i == kMemoryPercent && measured[kBytes])
          raise(kUnknownState, name + " memory-percent: no maxmemory is set");
        else if (i != kHitRatio)  // too few look-ups is nothing bad
          raise(kUnknownState, name + " " + kThresholds[i].name + " is not known yet");
        continue;
      }
      auto beyond = [&](const std::optional<double>& limit) {
        return limit && (kThresholds[i].least ? *measured[i] < *limit : *measured[i] > *limit);
      };
      State state = beyond(crit_[i]) ? kCritical : beyond(warn_[i]) ? kWarning : kFine;
      if (state == kFine) continue;
      double limit = state == kCritical ? *crit_[i] : *warn_[i];
      raise(state, name + " " + kThresholds[i].name + " " + for_people(i, *measured[i]) +
                       (kThresholds[i].least ? " < " : " > ") + for_people(i, limit));
    }
  }

  void raise(State state, const std::string& problem) { problems_[state].push_back(problem); }

  State state() const {
    for (State one : {kCritical, kWarning, kUnknownState})
      if (!problems_[one].empty()) return one;
    return kFine;
  }

  // Each row where they are few, and the worst of each measure.
  std::string performance_data(const std::vector<Row>& rows, const std::vector<Measured>& measured) const {
    std::string text;
    for (std::size_t i = 0; i < kMeasures; ++i) {
      if (!wants(i)) continue;
      std::optional<double> worst;
      for (const Measured& one : measured) {
        if (!one[i]) continue;
        if (!worst || (kThresholds[i].least ? *one[i] < *worst : *one[i] > *worst)) worst = one[i];
      }
      text += performance(std::string(kThresholds[i].least ? "least " : "most ") + kThresholds[i].name, i, worst, warn_,
                          crit_);
      for (std::size_t row = 0; row < rows.size() && rows.size() <= kMostData; ++row)
        text += performance(shown_title(rows[row]) + " " + kThresholds[i].name, i, measured[row][i], warn_, crit_);
    }
    return text;
  }

  const CheckOptions& options_;
  Limits warn_, crit_;
  Fleet fleet_;
  std::array<std::vector<std::string>, 4> problems_;
};

}  // namespace

int fail_check(const Failure& failure) {
  bool unreachable = failure.code == Exit::kConnect;  // somebody has to look; the rest is a matter of set-up
  State state = unreachable ? kCritical : kUnknownState;
  write_out(std::string("TENANTS ") + kStates[state] + " - " + plugin_text(failure.what()) + "\n");
  return state;
}

Subcommand add_check(CLI::App& program, const ConnectionOptions& connection) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* app = program.add_subcommand("check", "Compare with thresholds, as a Nagios plug-in");
  app->footer(
      "  valkey-tenants check --warn-bytes 400mb --crit-bytes 500mb       every tenant\n"
      "  valkey-tenants check --tenant 'app1*' --crit-connections 1000    some tenants\n"
      "  valkey-tenants check --prefixes --warn-hit-ratio 0.5             caches that miss\n"
      "  valkey-tenants -c -h 10.0.0.1 check                              do all nodes answer?");
  app->add_option("--tenant", options->tenant, "Only names that match, as in KEYS; '(o*' for the module's own rows")
      ->type_name("GLOB");
  app->add_flag("--prefixes", options->prefixes, "Check prefixes, not tenants");
  for (std::size_t i = 0; i < kMeasures; ++i) {
    std::string name = kThresholds[i].name;
    app->add_option("--warn-" + name, options->warn_text[i], std::string("WARNING: ") + kThresholds[i].help)
        ->type_name("N")
        ->group("Thresholds");
    app->add_option("--crit-" + name, options->crit_text[i], "CRITICAL: likewise")->type_name("N")->group("Thresholds");
  }
  return {app, [&connection, options] { return Check(connection, *options).run(); }};
}

}  // namespace tenants::tool
