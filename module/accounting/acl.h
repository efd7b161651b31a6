// What an ACL rule says about keys and commands, as far as ownership goes.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenants {

// Which keys a name stands for.
enum class Covers : std::uint8_t {
  kBelow,     // "app1:" of ~app1:*: those that begin with it
  kOne,       // "leader" of ~leader: the key of this name
  kMatching,  // "t:*:cache:*" of ~t:*:cache:*: those that match it; any other pattern, as it was written. And every
              // pattern that holds in some databases only: "db=3 ~app1:*"
};

struct KeyPattern {
  std::string name;  // empty for ~*: owns nothing
  Covers covers = Covers::kBelow;
  bool writes = false;  // the user may write these keys, as far as its rules for keys say
  bool reads = false;   // likewise: many commands that write need both
  std::string glob;     // as it was written, but that stars at the end are one
  std::string key;      // one that it matches; where there is none it may be neither written nor read
  int database = 0;     // one in which it holds
};

// What every key that the glob matches begins with: all before the first of `* ? [`, backslashes resolved.
std::string head_of_glob(std::string_view glob);

// Its name, and what it covers.
KeyPattern pattern_of_glob(std::string_view glob);

// The databases of "db=1,2", as ACL GETUSER gives them from 9.1 on; none: all, or, of the empty rule, none. Ascending.
std::vector<int> databases_of_rule(std::string_view rule);

// It holds in these databases only, at least one: from now on it is named "db=0-2,7 ~app1:*", whatever it covers. No
// pattern that holds in all is named so, for the server refuses spaces in them.
void limit_to_databases(KeyPattern& pattern, const std::vector<int>& databases);

// What such a name says: "0-2,7" and "app1:*"; of another pattern with kMatching nothing, and the whole. No memory.
struct Limits {
  std::string_view databases, glob;
};
Limits limits_of_name(std::string_view name);

// Calls `visit(db)` for each of "0-2,7".
template <typename Visit>
void for_each_database(std::string_view databases, Visit visit) {
  const char *at = databases.data(), *end = at + databases.size();
  while (at < end) {
    int first = 0, last = 0;
    auto [after, error] = std::from_chars(at, end, first);
    if (error != std::errc()) return;
    last = first;
    if (after < end && *after == '-') after = std::from_chars(after + 1, end, last).ptr;
    for (long long db = first; db <= last; ++db) visit(static_cast<int>(db));
    if (after < end && *after != ',') return;
    at = after + 1;
  }
}

// Calls `visit(byte)` for each byte of head_of_glob(glob).
template <typename Visit>
void for_each_byte_of_head(std::string_view glob, Visit visit) {
  for (std::size_t i = 0; i < glob.size() && glob[i] != '*' && glob[i] != '?' && glob[i] != '['; ++i) {
    if (glob[i] == '\\' && i + 1 < glob.size()) ++i;
    visit(glob[i]);
  }
}

// Some keys that the glob matches, as different as can be: not always kVariants of them. Nothing where it matches none:
// "[]" and "[^\\x00-\\xff]" do not. O(length), and 256 for each bracket.
inline constexpr int kVariants = 8;
std::optional<std::string> key_of_glob(std::string_view glob, int variant = 0);

// The patterns of one rule string as ACL GETUSER gives it: "~app1:* %R~app2:*". Words that are no key pattern are
// passed over.
std::vector<KeyPattern> patterns_of_keys(std::string_view keys);

// The root permissions of a user, or a selector: each allows what it does by itself.
struct Permissions {
  std::string commands;                // "-@all +@read +lpop", as ACL GETUSER gives it
  std::vector<int> databases;          // none: all
  std::size_t first = 0, end = 0;      // its patterns
  bool may_write[2] = {false, false};  // keys of those that may be written only, and read, too: see writes.h
};

// What one user holds.
struct UserKeys {
  bool enabled = false;
  std::vector<KeyPattern> patterns;
  std::vector<Permissions> permissions;  // all patterns are of one of these, in their order
};

}  // namespace tenants
