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
  kMatching,  // "t:*:cache:*" of ~t:*:cache:*: those that match it; any other pattern, as it was written
};

struct KeyPattern {
  std::string name;  // empty for ~*: owns nothing
  Covers covers = Covers::kBelow;
  bool writes = false;  // the user may write these keys, as far as its rules for keys say
  bool reads = false;   // likewise: many commands that write need both
  std::string key;      // one that the pattern matches
  int database = 0;     // one in which it holds
};

// What every key that the glob matches begins with: all before the first of `* ? [`, backslashes resolved.
std::string head_of_glob(std::string_view glob);

// Its name, and what it covers. Stars at the end are one.
KeyPattern pattern_of_glob(std::string_view glob);

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
