#include "module/accounting/acl.h"

#include <algorithm>
#include <utility>

#include "module/accounting/glob.h"

namespace tenants {

namespace {

// Calls `visit(word)` for each word of rules.
template <typename Visit>
void for_each_word(std::string_view rules, Visit visit) {
  while (!rules.empty()) {
    std::size_t end = std::min(rules.find(' '), rules.size());
    visit(rules.substr(0, end));
    rules.remove_prefix(std::min(end + 1, rules.size()));
  }
}

// The length of what comes before the first wildcard.
std::size_t literal_size(std::string_view glob) {
  std::size_t i = 0;
  while (i < glob.size() && glob[i] != '*' && glob[i] != '?' && glob[i] != '[') i += glob[i] == '\\' ? 2 : 1;
  return std::min(i, glob.size());
}

}  // namespace

std::string head_of_glob(std::string_view glob) {
  std::string head;
  for_each_byte_of_head(glob, [&](char byte) { head += byte; });
  return head;
}

KeyPattern pattern_of_glob(std::string_view glob) {
  std::size_t end = glob.find_last_not_of('*') + 1, stars = glob.size() - end, backslashes = 0;
  while (backslashes < end && glob[end - 1 - backslashes] == '\\') ++backslashes;
  if (backslashes % 2 == 1 && stars > 0) --stars;  // the first of them is meant as it is
  if (stars > 1) glob.remove_suffix(stars - 1);
  std::string_view rest = glob.substr(literal_size(glob));
  KeyPattern pattern{.name = std::string(glob), .covers = Covers::kMatching, .glob = std::string(glob)};
  if (rest.empty() || rest == "*") {
    pattern.name = head_of_glob(glob);
    pattern.covers = rest.empty() ? Covers::kOne : Covers::kBelow;
  }
  return pattern;
}

namespace {

constexpr std::string_view kDatabases = "db=";

}  // namespace

std::vector<int> databases_of_rule(std::string_view rule) {
  std::vector<int> databases;
  if (!rule.starts_with(kDatabases)) return databases;
  for_each_database(rule.substr(kDatabases.size()), [&](int db) { databases.push_back(db); });
  std::ranges::sort(databases);
  databases.erase(std::unique(databases.begin(), databases.end()), databases.end());
  return databases;
}

void limit_to_databases(KeyPattern& pattern, const std::vector<int>& databases) {
  std::string name(kDatabases);
  for (std::size_t i = 0; i < databases.size();) {
    std::size_t last = i;
    while (last + 1 < databases.size() && databases[last + 1] == databases[last] + 1) ++last;
    if (i > 0) name += ',';
    name += std::to_string(databases[i]);
    if (last > i) name += '-' + std::to_string(databases[last]);
    i = last + 1;
  }
  pattern.database = databases.front();
  pattern.name = name + " ~" + pattern.glob;
  pattern.covers = Covers::kMatching;
}

Limits limits_of_name(std::string_view name) {
  std::size_t tilde = name.starts_with(kDatabases) ? name.find(" ~") : std::string_view::npos;
  if (tilde == std::string_view::npos) return {{}, name};
  return {name.substr(kDatabases.size(), tilde - kDatabases.size()), name.substr(tilde + 2)};
}

namespace {

// One of the bytes that the bracket matches.
std::optional<char> byte_of_bracket(std::string_view bracket, int variant) {
  char members[256];
  std::size_t count = 0;
  for (int byte = 'a'; byte < 'a' + 256; ++byte) {
    auto letter = static_cast<char>(byte);
    if (matches(bracket, {&letter, 1})) members[count++] = letter;
  }
  if (count == 0) return std::nullopt;
  return members[static_cast<std::size_t>(variant) * std::max<std::size_t>(count, kVariants) / kVariants % count];
}

}  // namespace

std::optional<std::string> key_of_glob(std::string_view glob, int variant) {
  constexpr std::string_view kStars[kVariants] = {"", "x", "0", ":", "\x01", "Zz", "-", "~:~"};
  constexpr char kAny[kVariants] = {'x', '0', ':', '\x01', 'Z', '-', '~', 'a'};
  std::string key;
  bool star = false;
  while (!glob.empty()) {
    std::size_t size = element_size(glob);
    if (glob[0] == '*') {
      key += kStars[variant];
      star = true;
    } else if (glob[0] == '?') {
      key += kAny[variant];
    } else if (glob[0] == '[') {
      std::optional<char> byte = byte_of_bracket(glob.substr(0, size), variant);
      if (!byte) return std::nullopt;
      key += *byte;
    } else {
      key += glob[size - 1];
    }
    glob.remove_prefix(size);
  }
  if (star && key.empty()) key = "x";  // the server's star matches no empty key
  return key;
}

std::vector<KeyPattern> patterns_of_keys(std::string_view keys) {
  std::vector<KeyPattern> patterns;
  for_each_word(keys, [&](std::string_view word) {
    std::size_t tilde = word.find('~');
    if (tilde == std::string_view::npos || (tilde > 0 && word[0] != '%')) return;
    std::string_view access = word.substr(0, tilde);  // "" or "%R", "%W", "%RW"
    KeyPattern pattern = pattern_of_glob(word.substr(tilde + 1));
    pattern.writes = access.empty() || access.find_first_of("Ww") != std::string_view::npos;
    pattern.reads = access.empty() || access.find_first_of("Rr") != std::string_view::npos;
    std::optional<std::string> key = key_of_glob(pattern.glob);
    if (key) pattern.key = std::move(*key);
    pattern.writes &= key.has_value();
    pattern.reads &= key.has_value();
    patterns.push_back(std::move(pattern));
  });
  return patterns;
}

}  // namespace tenants
