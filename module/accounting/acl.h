// What an ACL rule says about keys, as far as ownership goes: the literal heads of its patterns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

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

// What one user holds.
struct UserKeys {
  bool enabled = false;
  std::vector<PatternHead> heads;
};

}  // namespace tenants
