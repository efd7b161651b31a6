// What an ACL rule says about keys and commands, as far as ownership goes.
#pragma once

#include <cstdint>
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
  std::string key;      // one that it matches
  int database = 0;     // one in which it holds
};

// What every key that the glob matches begins with: all before the first of `* ? [`, backslashes resolved.
std::string head_of_glob(std::string_view glob);

// Its name, and what it covers.
KeyPattern pattern_of_glob(std::string_view glob);

// The databases of "db=1,2", as ACL GETUSER gives them from 9.1 on; none: all. Ascending.
std::vector<int> databases_of_rule(std::string_view rule);

// It holds in these databases only, at least one: from now on it is named "db=0-2,7 ~app1:*", whatever it covers. No
// pattern that holds in all is named so, for the server refuses spaces in them.
void limit_to_databases(KeyPattern& pattern, const std::vector<int>& databases);

// What such a name says, or that of another pattern with kMatching: no databases, and the whole is the glob.
struct Limits {
  std::vector<int> databases;
  std::string_view glob;
};
Limits limits_of_name(std::string_view name);

// A key that the glob matches.
std::string key_of_glob(std::string_view glob);

// The patterns of one rule string as ACL GETUSER gives it: "~app1:* %R~app2:*". Words that are no key pattern are
// passed over.
std::vector<KeyPattern> patterns_of_keys(std::string_view keys);

// The commands that a rule string allows by their names: "-@all +@read +lpop" → lpop.
std::vector<std::string> commands_by_name(std::string_view commands);

// What one user holds.
struct UserKeys {
  bool enabled = false;
  std::vector<KeyPattern> patterns;
  bool all_commands = false;          // "+@all", and no rule besides
  bool selectors = false;             // there are some: commands depend on the key
  std::vector<std::string> commands;  // that are allowed by their names
};

}  // namespace tenants
