// Prefixes that are counted on rows of their own without any user of the ACL, as the operator says in tenants.prefixes:
//
//   user:profile: user:session:
//
// Separated by spaces; a * at the end means the same as none. Bytes that cannot be printed, and those that mean
// something here (space, %, *, a ~ in front), are written as in INFO: %XX.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenants {

class NamedPrefixes {
 public:
  static constexpr std::size_t kMost = 1000;

  // What is wrong with the text, or nothing. This stays as it was if something is.
  std::optional<std::string> set(std::string_view text);
  const std::string& text() const { return text_; }

  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const;  // O(log names)

 private:
  std::string text_;
  std::vector<std::string> names_;  // sorted
};

}  // namespace tenants
