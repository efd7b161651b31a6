// Several users and prefixes under one name, as the operator says in tenants.groups:
//
//   shop=web,worker-*,~cart: billing=bill,~invoices:*
//
// Groups are separated by spaces, members by commas; a member that begins with ~ is a prefix, any other a user; a * at
// its end stands for all that begin so. Bytes that mean something here, or cannot be printed, are written as in INFO:
// %XX.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tenants {

class Groups {
 public:
  static constexpr std::size_t kMost = 1000;

  // What is wrong with the text, or nothing. This stays as it was if something is.
  std::optional<std::string> set(std::string_view text);
  const std::string& text() const { return text_; }

  std::size_t size() const { return names_.size(); }
  const std::string& name(std::uint32_t group) const { return names_[group]; }
  std::optional<std::uint32_t> find(std::string_view name) const;
  // The group of a user or prefix: the one that names it, else the longest pattern, else, for a user, the one whose
  // name it has. O(length of the name).
  std::optional<std::uint32_t> of_user(std::string_view name) const;
  std::optional<std::uint32_t> of_prefix(std::string_view name) const { return prefixes_.find(name); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  using Map = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

  struct Members {
    Map names, heads;
    std::vector<std::size_t> lengths;  // of the heads, the longest first
    std::optional<std::uint32_t> find(std::string_view name) const;
  };

  std::optional<std::string> parse(std::string_view text);

  std::string text_;
  std::vector<std::string> names_;
  Map by_name_;
  Members users_, prefixes_;
};

}  // namespace tenants
