// What an ACL rule says about keys and commands, as far as ownership goes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenants {

struct PatternHead {
  std::string head;     // may be empty: owns nothing
  bool exact = false;   // the pattern has no wildcard
  bool writes = false;  // the user may write below it, as far as its rules for keys say
  bool reads = false;   // likewise: many commands that write need both
  std::string key;      // one that the pattern matches
  int database = 0;     // one in which it holds
};

// The head of one glob: everything before the first of `* ? [`, with backslash escapes resolved.
PatternHead head_of_glob(std::string_view glob);

// A key that the glob matches.
std::string key_of_glob(std::string_view glob);

// The patterns of one rule string as ACL GETUSER gives it: "~app1:* %R~app2:*". Words that are no key pattern are
// passed over.
std::vector<PatternHead> heads_of_keys(std::string_view keys);

// The commands that a rule string allows by their names: "-@all +@read +lpop" → lpop.
std::vector<std::string> commands_by_name(std::string_view commands);

// What one user holds.
struct UserKeys {
  bool enabled = false;
  std::vector<PatternHead> heads;
  bool all_commands = false;          // "+@all", and no rule besides
  bool selectors = false;             // there are some: commands depend on the key
  std::vector<std::string> commands;  // that are allowed by their names
};

}  // namespace tenants
