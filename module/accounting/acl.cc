#include "module/accounting/acl.h"

#include <algorithm>
#include <map>
#include <tuple>

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

std::vector<Head> heads_with_owner(std::vector<UserKeys> users) {
  std::map<std::pair<std::string, bool>, std::pair<std::tuple<bool, std::size_t, std::string>, std::uint32_t>> owners;
  for (UserKeys& user : users) {
    for (PatternHead& head : user.heads) {
      if (!head.writes || head.head.empty()) continue;
      auto rank = std::make_tuple(!user.enabled, user.heads.size(), user.name);
      auto [at, made] = owners.try_emplace({head.head, head.exact}, rank, user.user);
      if (!made && rank < at->second.first) at->second = {rank, user.user};
    }
  }
  std::vector<Head> heads;
  heads.reserve(owners.size());
  for (auto& [key, owner] : owners) heads.push_back({key.first, key.second, owner.second});
  return heads;
}

}  // namespace tenants
