#include "module/accounting/acl.h"

#include <algorithm>

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

// The length of the bracket with which the glob begins.
std::size_t bracket_size(std::string_view glob) {
  for (std::size_t i = 1; i < glob.size(); ++i) {
    if (glob[i] == '\\')
      ++i;
    else if (glob[i] == ']')
      return i + 1;
  }
  return glob.size();
}

}  // namespace

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

std::string key_of_glob(std::string_view glob) {
  std::string key;
  while (!glob.empty()) {
    std::size_t size = 1;
    if (glob[0] == '[') {
      size = bracket_size(glob);
      std::string_view bracket = glob.substr(0, size);
      for (int byte = 'a'; byte < 'a' + 256; ++byte) {
        auto letter = static_cast<char>(byte);
        if (!matches(bracket, {&letter, 1})) continue;
        key += letter;
        break;
      }
    } else if (glob[0] == '?') {
      key += 'x';
    } else if (glob[0] == '\\' && glob.size() > 1) {
      size = 2;
      key += glob[1];
    } else if (glob[0] != '*') {
      key += glob[0];
    }
    glob.remove_prefix(size);
  }
  return key;
}

std::vector<PatternHead> heads_of_keys(std::string_view keys) {
  std::vector<PatternHead> heads;
  for_each_word(keys, [&](std::string_view word) {
    std::size_t tilde = word.find('~');
    if (tilde == std::string_view::npos || (tilde > 0 && word[0] != '%')) return;
    std::string_view access = word.substr(0, tilde);  // "" or "%R", "%W", "%RW"
    PatternHead head = head_of_glob(word.substr(tilde + 1));
    head.writes = access.empty() || access.find_first_of("Ww") != std::string_view::npos;
    head.reads = access.empty() || access.find_first_of("Rr") != std::string_view::npos;
    head.key = key_of_glob(word.substr(tilde + 1));
    heads.push_back(std::move(head));
  });
  return heads;
}

std::vector<std::string> commands_by_name(std::string_view commands) {
  std::vector<std::string> names;
  for_each_word(commands, [&](std::string_view word) {
    if (word.size() > 1 && word[0] == '+' && word[1] != '@') names.emplace_back(word.substr(1));
  });
  return names;
}

}  // namespace tenants
