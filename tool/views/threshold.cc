#include "tool/views/threshold.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "module/accounting/escape.h"
#include "module/accounting/glob.h"
#include "tool/client/failure.h"
#include "tool/client/printable.h"

namespace tenants::tool {

namespace {

constexpr MeasureOption kOptions[] = {
    {Measure::kMemory, "memory", "Bytes, or % of maxmemory (of all primaries)"},
    {Measure::kKeys, "keys", "Keys"},
    {Measure::kConnections, "connections", "Connections"},
    {Measure::kHitRatio, "hit-ratio", "Hits of hits and misses: 0.5 or 50%"},
    {Measure::kCpu, "cpu", "% of one core in the last minute, on the node where it is most"},
    {Measure::kCommands, "commands", "Commands: 1000/s in the last minute, or 1000 in 5m"},
    {Measure::kErrors, "errors", "Replies that were errors, likewise"},
    {Measure::kDenied, "denied", "What the ACL forbade, likewise"},
    {Measure::kGrowth, "growth", "Bytes that memory grew by in the last five minutes, or in 1m or 10s"},
    {Measure::kOrphans, "orphans", "Keys under nobody's prefix: > 1000, or their bytes: > 100MB; no WHO"},
};

struct UnitName {
  const char* name;  // lower case
  double scale;
};
constexpr UnitName kByteNames[] = {{"b", 1},        {"kb", 1e3},     {"mb", 1e6},     {"gb", 1e9},    {"tb", 1e12},
                                   {"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40}};
constexpr UnitName kCountNames[] = {{"", 1}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}};
constexpr const char* kByteUnits = "B, kB, MB, GB, TB (1000), KiB, MiB, GiB, TiB (1024)";

std::string lower_case(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return all;
}

std::optional<double> scale_of(std::span<const UnitName> units, const std::string& unit) {
  const auto found = std::ranges::find_if(units, [&](const UnitName& one) { return unit == one.name; });
  return found == units.end() ? std::nullopt : std::optional(found->scale);
}

bool is_rate(Measure measure) {
  return measure == Measure::kCommands || measure == Measure::kErrors || measure == Measure::kDenied;
}

class Parser {
 public:
  Parser(Measure measure, std::string_view text) : text_(text) { result_.measure = measure; }

  Threshold parse() {
    read_who();
    read_operator();
    read_number();
    read_unit();
    read_window();
    read_level();
    skip_space();
    if (!at_end()) fail(at_, "there is too much, allowed is " + form());
    return std::move(result_);
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  void skip_space() {
    while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  // Up to a space or one of these.
  std::string_view token(std::string_view stop) {
    skip_space();
    std::size_t begin = at_;
    while (!at_end() && text_[at_] != ' ' && text_[at_] != '\t' && stop.find(text_[at_]) == std::string_view::npos)
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  // Takes it only if it is one of these words.
  bool take_word(std::initializer_list<std::string_view> words) {
    std::size_t before = at_;
    std::string word = lower_case(token(""));
    if (std::ranges::find(words, word) != words.end()) return true;
    at_ = before;
    return false;
  }
  std::size_t next() {
    skip_space();
    return at_;
  }

  std::string form() const {
    std::string text = result_.measure == Measure::kOrphans ? "" : "WHO ";
    text += "> NUMBER";
    if (is_rate(result_.measure)) text += "/s";
    if (has_window()) text += " in 10s, 1m or 5m";
    return text + ", then warn or nothing";
  }
  bool has_window() const {
    return is_rate(result_.measure) || result_.measure == Measure::kCpu || result_.measure == Measure::kGrowth;
  }

  [[noreturn]] void fail(std::size_t at, const std::string& what) const {
    throw Failure(Exit::kUsage, std::string("--") + measure_name(result_.measure) + " '" + printable(text_, 100) +
                                    "', column " + std::to_string(at + 1) + ": " + what);
  }

  void read_who() {
    constexpr std::string_view kStop = "<>=";
    std::size_t begin = next();
    std::string_view who = token(kStop);
    if (result_.measure == Measure::kOrphans) {
      if (!who.empty()) fail(begin, "keys under nobody's prefix are of nobody, allowed is > NUMBER");
      return;
    }
    if (who == "prefix" && next() < text_.size() && kStop.find(text_[at_]) == std::string_view::npos) {
      bool allowed = result_.measure == Measure::kMemory || result_.measure == Measure::kKeys ||
                     result_.measure == Measure::kHitRatio;
      if (!allowed) fail(begin, "prefixes have only memory, keys and hit-ratio");
      result_.prefix = true;
      who = token(kStop);
    }
    if (who.empty()) fail(begin, "who is missing, allowed is any, total, a name or a pattern, as in any > 5");
    result_.written = who;
    if (who == "any") return;
    if (who == "total") {
      result_.who = Threshold::Who::kTotal;
      return;
    }
    bool glob = who.find_first_of("*?[") != std::string_view::npos;
    result_.who = glob ? Threshold::Who::kGlob : Threshold::Who::kName;
    result_.name = glob ? std::string(who) : decode_percent(who).value_or(std::string(who));
  }

  void read_operator() {
    std::size_t begin = next();
    using enum Threshold::Operator;
    constexpr std::pair<std::string_view, Threshold::Operator> kOperators[] = {
        {">=", kAtLeast}, {"<=", kAtMost}, {">", kMore}, {"<", kLess}};
    for (auto [name, is] : kOperators) {
      if (!text_.substr(begin).starts_with(name)) continue;
      at_ += name.size();
      result_.is = is;
      return;
    }
    fail(begin, "a comparison is missing, allowed are > >= < <=");
  }

  void read_number() {
    std::size_t begin = next();
    const char *from = text_.data() + begin, *last = text_.data() + text_.size();
    auto [end, error] = std::from_chars(from, last, result_.limit, std::chars_format::fixed);
    bool digit = from != last && *from >= '0' && *from <= '9';
    if (error != std::errc() || !digit || result_.limit >= 1e18) fail(begin, "allowed is a number, 0 or more");
    at_ += static_cast<std::size_t>(end - from);
  }

  void read_unit() {
    std::size_t begin = next();
    std::string unit(token(""));
    if (unit == "in" || unit == "warn" || unit == "warning" || unit == "crit" || unit == "critical") {
      unit.clear();
      at_ = begin;
    }
    set_unit(begin, unit);
    result_.unit = unit;
    result_.limit *= result_.scale;
  }

  void set_unit(std::size_t begin, const std::string& unit) {
    std::string name = lower_case(unit);
    auto take = [&](Threshold::Of of, std::optional<double> scale) {
      if (!scale) return false;
      result_.of = of;
      result_.scale = *scale;
      return true;
    };
    switch (result_.measure) {
      case Measure::kMemory:
        if (name == "%") {
          if (!take_word({"of"}) || !take_word({"maxmemory"})) fail(begin, "% of what, allowed is % of maxmemory");
          take(Threshold::Of::kMaxmemory, 1);
          return;
        }
        if (take(Threshold::Of::kBytes, scale_of(kByteNames, name))) return;
        fail(begin, std::string("allowed units are ") + kByteUnits + ", % of maxmemory");
      case Measure::kGrowth:
        if (take(Threshold::Of::kBytes, scale_of(kByteNames, name))) return;
        fail(begin, std::string("allowed units are ") + kByteUnits);
      case Measure::kOrphans:
        if (take(Threshold::Of::kCount, scale_of(kCountNames, name))) return;
        if (take(Threshold::Of::kBytes, scale_of(kByteNames, name))) return;
        fail(begin, std::string("allowed is nothing (keys), or ") + kByteUnits);
      case Measure::kHitRatio:
        take(Threshold::Of::kRatio, name == "%" ? 0.01 : 1);
        if ((!name.empty() && name != "%") || result_.limit * result_.scale > 1)
          fail(begin, "allowed is 0 to 1, or 0% to 100%");
        return;
      case Measure::kCpu:
        if (name == "%") {
          take(Threshold::Of::kPercent, 1);
          return;
        }
        fail(begin, "allowed is % of one core, 50%");
      default:
        break;
    }
    if (is_rate(result_.measure) && name.ends_with("/s")) {
      if (take(Threshold::Of::kPerSecond, scale_of(kCountNames, name.substr(0, name.size() - 2)))) return;
    } else if (take(Threshold::Of::kCount, scale_of(kCountNames, name))) {
      return;
    }
    fail(begin, is_rate(result_.measure) ? "allowed is a rate, 5/s, or a number in a time, 100 in 5m"
                                         : "allowed is no unit, k or M (thousands, millions)");
  }

  void read_window() {
    std::size_t begin = next();
    if (!has_window() || !take_word({"in"})) {
      if (is_rate(result_.measure) && result_.of == Threshold::Of::kCount)
        fail(begin, "in which time, allowed is a rate, 5/s, or a number in a time, 100 in 5m");
      if (has_window()) result_.window = result_.measure == Measure::kGrowth ? 300 : 60;
      return;
    }
    begin = next();
    std::string word = lower_case(token(""));
    constexpr std::pair<std::string_view, int> kWindows[] = {{"10s", 10}, {"60s", 60},  {"300s", 300}, {"1m", 60},
                                                             {"5m", 300}, {"1min", 60}, {"5min", 300}};
    const auto* found = std::ranges::find(kWindows, word, &std::pair<std::string_view, int>::first);
    if (found == std::end(kWindows)) fail(begin, "the servers remember 10s, 1m and 5m");
    result_.window = found->second;
  }

  void read_level() {
    if (take_word({"warn", "warning"}))
      result_.warning = true;
    else
      take_word({"crit", "critical"});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Threshold result_;
};

const char* operator_text(Threshold::Operator is) {
  constexpr const char* kTexts[] = {">", ">=", "<", "<="};
  return kTexts[static_cast<std::size_t>(is)];
}

}  // namespace

std::span<const MeasureOption> measures() { return kOptions; }

const char* measure_name(Measure measure) { return kOptions[static_cast<std::size_t>(measure)].name; }

bool Threshold::beyond(double value) const {
  switch (is) {
    case Operator::kMore:
      return value > limit;
    case Operator::kAtLeast:
      return value >= limit;
    case Operator::kLess:
      return value < limit;
    default:
      return value <= limit;
  }
}

bool Threshold::means(std::string_view row, std::string_view shown, bool own_row) const {
  if (who == Who::kTotal || own_row != written.starts_with('(')) return false;  // the module's own only where meant
  if (who == Who::kAny) return true;
  if (who == Who::kGlob) return matches(name, row) || matches(name, shown);
  return name == row || written == shown;
}

std::string plain_number(double value) {
  std::array<char, 400> text{};
  auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 3);
  std::string all(text.data(), end);
  all.erase(all.find_last_not_of('0') + 1);
  if (all.ends_with('.')) all.pop_back();
  return all;
}

std::string Threshold::value_text(double value) const { return plain_number(value / scale) + unit; }

std::string Threshold::limit_text() const {
  std::string text = std::string(operator_text(is)) + " " + value_text(limit);
  if (of == Of::kMaxmemory) text += " of maxmemory";
  if (window) text += window == 10 ? " in 10s" : window == 60 ? " in 1m" : " in 5m";
  return text;
}

std::string Threshold::range() const {
  std::string number = plain_number(limit);
  switch (is) {
    case Operator::kMore:
      return number;
    case Operator::kAtLeast:
      return "@" + number + ":";
    case Operator::kLess:
      return number + ":";
    default:
      return "@" + number;
  }
}

Threshold parse_threshold(Measure measure, std::string_view sentence) { return Parser(measure, sentence).parse(); }

}  // namespace tenants::tool
