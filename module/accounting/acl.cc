#include "module/accounting/acl.h"

#include <algorithm>

namespace tenants {

PatternHead head_of_glob(std::string_view glob) {
  PatternHead result{.exact = true};
  for (std::size_t i = 0; i < glob.size(); ++i) {
    char c = glob[i];
    if (c == '*' || c == '?' || c == '[') {
      result.exact = false;
      break;
    }
    if (c == '\\' && i + 1 < glob.size()) c = glob[++i];
    result.head += c;
  }
  return result;
}

std::vector<PatternHead> heads_of_keys(std::string_view keys) {
  std::vector<PatternHead> heads;
  while (!keys.empty()) {
    std::size_t end = std::min(keys.find(' '), keys.size());
    std::string_view word = keys.substr(0, end);
    keys.remove_prefix(std::min(end + 1, keys.size()));
    std::size_t tilde = word.find('~');
    if (tilde == std::string_view::npos || (tilde > 0 && word[0] != '%')) continue;
    std::string_view access = word.substr(0, tilde);  // "" or "%R", "%W", "%RW"
    PatternHead head = head_of_glob(word.substr(tilde + 1));
    head.writes = access.empty() || access.find_first_of("Ww") != std::string_view::npos;
    heads.push_back(std::move(head));
  }
  return heads;
}

}  // namespace tenants
