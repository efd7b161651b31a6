// What an ACL rule says about keys, as far as ownership goes: the literal heads of its patterns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "module/accounting/prefixes.h"

namespace tenants {

struct PatternHead {
  std::string head;     // may be empty: owns nothing
  bool exact = false;   // the pattern has no wildcard
  bool writes = false;  // the user may write below it
};

// The head of one glob: everything before the first of `* ? [`, with backslash escapes resolved.
PatternHead head_of_glob(std::string_view glob);

// The patterns of one rule string as ACL GETUSER gives it: "~app1:* %R~app2:*". Words that are no key pattern are
// passed over.
std::vector<PatternHead> heads_of_keys(std::string_view keys);

// What one user holds; names the candidates for the ownership of each head.
struct UserKeys {
  std::uint32_t user = 0;
  std::string name;
  bool enabled = false;
  std::vector<PatternHead> heads;
};

// One owner for each head. Of several users the one that may write comes first, then the enabled one, then the one with
// fewest heads (the application before the tool that sees them all), then by name. Heads that nobody may write below
// own nothing.
std::vector<Head> heads_with_owner(const std::vector<UserKeys>& users);

}  // namespace tenants
