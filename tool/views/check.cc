// `check`: thresholds, as a plug-in for Nagios, Icinga and all that understand these: one line, performance data after
// a bar, and the exit codes 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "tool/fleet/window.h"
#include "tool/snapshot/sum.h"
#include "tool/views/output.h"
#include "tool/views/suggest.h"
#include "tool/views/threshold.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

enum State : int { kFine = 0, kWarning = 1, kCritical = 2, kUnknownState = 3 };
constexpr const char* kStates[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

constexpr std::size_t kMostSaid = 10,
                      kMostData = 20;  // rows named in the line, and in the performance data of a sentence
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct CheckOptions {
  std::map<Measure, std::vector<std::string>> sentences;
};

std::vector<Threshold> parse(const CheckOptions& options) {
  std::vector<Threshold> all;
  for (const auto& [measure, sentences] : options.sentences)
    for (const std::string& sentence : sentences) all.push_back(parse_threshold(measure, sentence));
  return all;
}

std::string count_of(std::size_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

// No bar, which begins the performance data.
std::string plugin_text(std::string text) {
  for (std::size_t at; (at = text.find('|')) != std::string::npos;) text.replace(at, 1, "%7C");
  return text;
}

// Where it lies: in most cases the two are one number.
struct Value {
  double low = 0, high = 0;
};

std::optional<Value> known(std::uint64_t value) {
  if (value == kAbsent) return std::nullopt;
  return Value{static_cast<double>(value), static_cast<double>(value)};
}

std::optional<Value> times(std::optional<Value> value, double factor) {
  if (value) value = Value{value->low * factor, value->high * factor};
  return value;
}

// "memory", and what tells it from the other numbers of that name.
std::string label_of(const Threshold& threshold) {
  std::string label = measure_name(threshold.measure);
  if (threshold.of == Threshold::Of::kMaxmemory) label += " of maxmemory";
  if (threshold.of == Threshold::Of::kBytes && threshold.measure == Measure::kOrphans) label += " memory";
  if (threshold.of == Threshold::Of::kPerSecond) label += " per second";
  if (threshold.window) label += threshold.window == 10 ? " in 10s" : threshold.window == 60 ? " in 1m" : " in 5m";
  return label;
}

class Check {
 public:
  Check(const ConnectionOptions& connection, const CheckOptions& options)
      : thresholds_(parse(options)), fleet_(chosen_targets(connection), connection.timeout()) {}

  int run() {
    bool prefixes = std::ranges::any_of(
        thresholds_, [](const Threshold& one) { return one.prefix || one.measure == Measure::kHitRatio; });
    snapshot_ = fleet_.read({.tenants = true, .prefixes = prefixes});
    if (snapshot_.nodes_up() == 0) report_incomplete(snapshot_);  // throws
    tenants_ = sum(snapshot_, Table::kTenants);
    prefixes_ = sum(snapshot_, Table::kPrefixes);
    for (const Row& row : prefixes_.rows) of_owner_[shown_owner(row)].push_back(row);
    for (const std::string& line : snapshot_.incomplete()) raise(kCritical, line, kInfinity, "no answer from " + line);
    for (const Threshold& threshold : thresholds_) judge(threshold);
    write_out(line() + performance_data() + "\n");
    return state();
  }

 private:
  struct Problem {
    State state;
    double badness;  // how many times the limit
    std::string text;
  };
  struct Datum {
    std::string label, unit;
    std::optional<double> value;
    std::string warning, critical;
    bool least_is_zero = true;
  };

  // Those it means, each with its name; of a total, one.
  std::vector<std::pair<std::string, const Row*>> meant(const Threshold& threshold) {
    const Sum& all = threshold.prefix ? prefixes_ : tenants_;
    if (threshold.who == Threshold::Who::kTotal) return {{"total", &all.total}};
    std::vector<std::pair<std::string, const Row*>> rows;
    for (const Row& row : all.rows) {
      bool orphans = threshold.measure == Measure::kOrphans;
      if (orphans ? row.kind == Kind::kOrphans : threshold.means(row.name, shown_name(row), is_own(row.kind)))
        rows.emplace_back(orphans ? "" : shown_title(row), &row);
    }
    if (rows.empty() && threshold.who != Threshold::Who::kAny) nobody(threshold);
    return rows;
  }

  void nobody(const Threshold& threshold) {
    const char* what = threshold.prefix ? "prefix" : "tenant";
    std::vector<std::string> names;
    for (const Row& row : (threshold.prefix ? prefixes_ : tenants_).rows) names.push_back(shown_name(row));
    std::string shown = plugin_text(escape_for_message(threshold.written));
    bool glob = threshold.who == Threshold::Who::kGlob;
    raise(kUnknownState, what + shown, 0,
          std::string("no ") + what + (glob ? " matches " : " ") + shown +
              (glob ? "" : did_you_mean(threshold.written, names)));
  }

  const std::vector<Window>& recent(const std::string& column, int seconds) {
    auto [found, is_new] = recent_.try_emplace({column, seconds});
    if (is_new) found->second = read_windows(fleet_, {{seconds, {column}}})[0];
    return found->second;
  }

  bool is_source(const std::string& node) const {
    auto found = std::ranges::find(snapshot_.nodes, node, &Node::address);
    return found != snapshot_.nodes.end() && found->data_source;
  }

  // Of one row, or of all. CPU is that of the busiest node, the rest is added up.
  std::optional<Value> over_window(const Threshold& threshold, const Row& row) {
    struct Number {
      Measure measure;
      const char* by;
      std::size_t column;
    };
    constexpr Number kNumbers[] = {{Measure::kCpu, "cpu_usec", tenant_column::kCpuUsec},
                                   {Measure::kCommands, "commands", tenant_column::kCommands},
                                   {Measure::kErrors, "errors", tenant_column::kErrors},
                                   {Measure::kDenied, "denied", tenant_column::kDenied},
                                   {Measure::kGrowth, "bytes_change", tenant_column::kBytes}};
    const Number& number = *std::ranges::find(kNumbers, threshold.measure, &Number::measure);
    const std::vector<Window>& all = recent(number.by, threshold.window);
    if (all.size() < snapshot_.nodes_up()) return std::nullopt;
    bool cpu = number.measure == Measure::kCpu, growth = number.measure == Measure::kGrowth;
    bool rate = cpu || threshold.of == Threshold::Of::kPerSecond;
    if (growth && row.values[tenant_column::kBytes] == kAbsent) return std::nullopt;
    Value value;
    for (const Window& window : all) {
      if (growth && !is_source(window.node)) continue;
      if ((rate && window.seconds <= 0) || (growth && !window.counted)) return std::nullopt;
      auto of = [&](const Row& listed) -> double {
        if (growth) return static_cast<double>(window.change(listed, number.column).value_or(0));
        std::uint64_t value = listed.values[number.column];
        return value == kAbsent ? 0 : static_cast<double>(value);
      };
      Value part;  // the servers name those with most; who is not among them has no more than the last
      if (!window.complete) part = {growth ? -kInfinity : 0, of(window.rows.back())};
      if (threshold.who == Threshold::Who::kTotal) {
        if (!window.complete) part.high = kInfinity;
        for (const Row& listed : window.rows) part.low += of(listed);
        if (window.complete) part.high = part.low;
      } else if (const Row* listed = window.find(row)) {
        part = {of(*listed), of(*listed)};
      }
      double scale = (cpu ? 1e-4 : 1) / (rate ? window.seconds : 1);
      value.low = cpu ? std::max(value.low, part.low * scale) : value.low + part.low * scale;
      value.high = cpu ? std::max(value.high, part.high * scale) : value.high + part.high * scale;
    }
    return value;
  }

  std::optional<std::uint64_t> max_memory() const {
    std::uint64_t limit = 0;  // of all primaries
    for (const Node& node : snapshot_.nodes)
      if (node.data_source) add_known(limit, node.max_memory);
    return limit == kAbsent || limit == 0 ? std::nullopt : std::optional(limit);
  }

  std::optional<Value> measured(const Threshold& threshold, const Row& row) {
    Table table = threshold.prefix ? Table::kPrefixes : Table::kTenants;
    auto of = [&](const char* column) { return known(row.values[*find_column(table, column)]); };
    switch (threshold.measure) {
      case Measure::kMemory:
        if (threshold.of == Threshold::Of::kBytes) return of("bytes");
        return max_memory() ? times(of("bytes"), 100 / static_cast<double>(*max_memory())) : std::nullopt;
      case Measure::kKeys:
        return of("keys");
      case Measure::kOrphans:
        return of(threshold.of == Threshold::Of::kBytes ? "bytes" : "keys");
      case Measure::kConnections:
        return of("connections");
      case Measure::kHitRatio:
        return times(known(lookups(threshold, row).values[prefix_column::kHitRatio]), 0.001);
      default:
        return over_window(threshold, row);
    }
  }

  // The row that has its hits and misses: of a tenant, those under its prefixes.
  Row lookups(const Threshold& threshold, const Row& row) {
    if (threshold.prefix) return row;
    if (threshold.who == Threshold::Who::kTotal) return prefixes_.total;
    return total(Table::kPrefixes, of_owner_[shown_name(row)]);
  }

  bool nothing_to_judge(const Threshold& threshold, const Row& row) {
    if (threshold.measure != Measure::kHitRatio) return false;
    Row of = lookups(threshold, row);
    std::uint64_t hits = of.values[prefix_column::kHits], misses = of.values[prefix_column::kMisses];
    return (hits == kAbsent || hits == 0) && (misses == kAbsent || misses == 0);
  }

  void judge(const Threshold& threshold) {
    std::string what = label_of(threshold), worst_label = threshold.too_small() ? "least " : "most ";
    if (threshold.prefix) worst_label += "prefix ";
    worst_label +=
        what + (threshold.who == Threshold::Who::kGlob ? " of " + escape_for_message(threshold.written) : "");
    std::optional<Value> worst;
    auto rows = meant(threshold);
    bool many = threshold.who == Threshold::Who::kAny || threshold.who == Threshold::Who::kGlob;
    std::size_t place = data_.size();
    for (const auto& [name, row] : rows) {
      if (nothing_to_judge(threshold, *row)) continue;
      std::optional<Value> value = measured(threshold, *row);
      std::string title = what;
      if (!name.empty()) title.insert(0, name + " ");
      if (value && (!worst || (threshold.too_small() ? value->low < worst->low : value->high > worst->high)))
        worst = value;
      if (rows.size() <= kMostData || !many) add_datum(threshold, title, value);
      weigh(threshold, title, value, name);
    }
    if (many && !rows.empty()) add_datum(threshold, worst_label, worst, place);
  }

  void weigh(const Threshold& threshold, const std::string& title, const std::optional<Value>& value,
             const std::string& name) {
    std::string subject = (name.empty() ? "" : name + " ") + measure_name(threshold.measure);
    if (!value) {
      bool no_limit = threshold.of == Threshold::Of::kMaxmemory && !max_memory();
      raise(kUnknownState, title, 0, subject + (no_limit ? ": no maxmemory is set" : " is not known"));
      return;
    }
    bool low = threshold.beyond(value->low), high = threshold.beyond(value->high);
    if (!low && !high) return;
    if (low != high) {
      raise(kUnknownState, title, 0, subject + " is not known: it is not among the 1,000 that the server names");
      return;
    }
    double shown = threshold.too_small() ? value->high : value->low;
    double badness =
        threshold.too_small() ? threshold.limit / std::max(shown, 1e-9) : shown / std::max(threshold.limit, 1e-9);
    raise(threshold.warning ? kWarning : kCritical, title, badness,
          subject + " " + threshold.value_text(shown) + " " + threshold.limit_text());
  }

  // The worst of what is wrong with one number.
  void raise(State state, const std::string& title, double badness, const std::string& text) {
    auto [found, is_new] = problems_.try_emplace(title, Problem{state, badness, text});
    Problem& old = found->second;
    if (!is_new && (rank(state) > rank(old.state) || (state == old.state && badness > old.badness)))
      old = {state, badness, text};
  }

  static int rank(State state) {
    constexpr int kRanks[] = {0, 2, 3, 1};  // what is known to be wrong is worse than what is not known
    return kRanks[state];
  }

  std::vector<Problem> problems() const {
    std::vector<Problem> all;
    for (const auto& [_, problem] : problems_) all.push_back(problem);
    std::ranges::stable_sort(all, [](const Problem& a, const Problem& b) {
      return rank(a.state) != rank(b.state) ? rank(a.state) > rank(b.state) : a.badness > b.badness;
    });
    return all;
  }

  State state() const {
    std::vector<Problem> all = problems();
    return all.empty() ? kFine : all.front().state;
  }

  std::string line() const {
    std::string text = std::string("TENANTS ") + kStates[state()] + " - ";
    std::vector<Problem> all = problems();
    for (std::size_t i = 0; i < std::min(all.size(), kMostSaid); ++i)
      text += (i ? ", " : "") + plugin_text(all[i].text);
    if (all.size() > kMostSaid) text += ", and " + std::to_string(all.size() - kMostSaid) + " more";
    if (!all.empty()) text += "; ";
    auto own = [](const Row& row) { return is_own(row.kind); };
    auto count = tenants_.rows.size() - static_cast<std::size_t>(std::ranges::count_if(tenants_.rows, own));
    return text + count_of(count, "tenant") + " on " + count_of(snapshot_.nodes_up(), "node");
  }

  // Two sentences about the same number are one datum: a limit for each level, the first there is.
  void add_datum(const Threshold& threshold, const std::string& label, const std::optional<Value>& value,
                 std::optional<std::size_t> at = std::nullopt) {
    auto same = std::ranges::find(data_, label, &Datum::label);
    if (same == data_.end()) {
      Datum datum{.label = label};
      if (value && value->low == value->high) datum.value = value->low;
      bool percent = threshold.of == Threshold::Of::kPercent || threshold.of == Threshold::Of::kMaxmemory;
      datum.unit = percent ? "%" : threshold.of == Threshold::Of::kBytes ? "B" : "";
      same = data_.insert(at ? data_.begin() + static_cast<std::ptrdiff_t>(*at) : data_.end(), std::move(datum));
    }
    std::string& limit = threshold.warning ? same->warning : same->critical;
    if (limit.empty()) limit = threshold.range();
  }

  std::string performance_data() const {
    std::string text = data_.empty() ? "" : " |";
    for (const Datum& datum : data_) {
      std::string quoted;
      for (char c : plugin_text(datum.label)) quoted += c == '\'' ? "''" : std::string(1, c);
      text += " '" + quoted + "'=" + (datum.value ? plain_number(*datum.value) + datum.unit : "U") + ";" +
              datum.warning + ";" + datum.critical + ";0";
    }
    return text;
  }

  std::vector<Threshold> thresholds_;
  Fleet fleet_;
  Snapshot snapshot_;
  Sum tenants_, prefixes_;
  std::map<std::string, std::vector<Row>> of_owner_;  // prefixes, by the owner's shown name
  std::map<std::pair<std::string, int>, std::vector<Window>> recent_;
  std::map<std::string, Problem> problems_;  // by what is wrong
  std::vector<Datum> data_;
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
      "  valkey-tenants check --memory 'any > 500MB' --memory 'any > 400MB warn'\n"
      "  valkey-tenants check --memory 'shop* > 80% of maxmemory' --growth 'any > 100MB in 5m'\n"
      "  valkey-tenants check --connections 'app1 > 1000' --cpu 'any > 50% warn' --errors 'any > 5/s'\n"
      "  valkey-tenants check --hit-ratio 'any < 0.5 warn' --hit-ratio 'prefix app1:* < 0.2'\n"
      "  valkey-tenants check --orphans '> 1000'                   keys under nobody's prefix\n"
      "  valkey-tenants -c -h 10.0.0.1 check                       do all nodes answer?\n"
      "\n"
      "A threshold is a sentence, WHO > NUMBER: CRITICAL where it is true, and only WARNING with warn at its end "
      "(what\n"
      "-c and -w of other plug-ins are). WHO is any tenant, total, a name, a pattern as in KEYS, or prefix and one of\n"
      "these; the comparison > >= < or <=. What is not known is UNKNOWN.");
  for (const MeasureOption& one : measures()) {
    app->add_option(std::string("--") + one.name, options->sentences[one.measure], one.help)
        ->allow_extra_args(false)
        ->type_name("SENTENCE")
        ->group("Thresholds; each may be repeated");
  }
  return {app, [&connection, options] { return Check(connection, *options).run(); }};
}

}  // namespace tenants::tool
