// The words and pieces of TENANTS.*: reading arguments, writing replies. Names are bulk strings with the bytes as they
// are.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "module/accounting/number.h"
#include "module/publish/rows.h"

namespace tenants {

inline constexpr std::uint64_t kMaxCount = 1000;  // rows in one reply

using server_api::Context;
using server_api::String;

void reply(Context* context, std::string_view text);
void reply_field(Context* context, const char* name, std::uint64_t value);
void reply_field(Context* context, const char* name, std::string_view value);
// "ERR tenants: " and this.
int refuse(Context* context, const std::string& why);

// How many of these are known.
long known(std::span<const std::uint64_t> values);
// Those, each with its name.
void reply_values(Context* context, std::span<const Column> columns, std::span<const std::uint64_t> values);

// Whatever the case; `lower` is lower case.
bool is_word(std::string_view text, std::string_view lower);
// COUNT's value; nothing where it is not allowed: kCountRule.
std::optional<std::uint64_t> read_count(std::string_view text);
// FORMAT's value: is it CSV? Nothing where it is not allowed: kFormatRule.
std::optional<bool> read_format(std::string_view text);
inline constexpr const char* kFormatRule = "invalid FORMAT, allowed are MAP and CSV";
inline constexpr const char* kCountRule = "invalid COUNT, allowed is 1 to 1000";
// The number of the column of this name.
std::optional<std::size_t> find_column(std::span<const Column> columns, std::string_view name);
// "invalid column, allowed are connections, …"
std::string column_rule(std::span<const Column> columns);

// Rows as text: a line of names, then one line each, by RFC 4180. What is not known is empty, a share has three
// decimals. Takes a tenth of the time that maps take, on both ends.
class CsvText {
 public:
  using Change = std::optional<std::int64_t>;

  // "name", "kind", `owner` where there is one, the columns, and the `changes`. There is one text at a time.
  void begin(const char* owner, std::span<const Column> columns, std::initializer_list<const char*> changes = {});
  void add(std::string_view name, const char* kind, std::string_view owner, std::span<const std::uint64_t> values,
           std::span<const Change> changes = {});
  std::string_view text() const { return {text_, length_}; }

 private:
  // Each writes there and returns the end. Appending to a string piece by piece would take half of a page's time.
  static char* write(char* to, std::string_view text);
  static char* write_quoted(char* to, std::string_view text);  // if need be
  void make_room(std::size_t bytes);
  static char* write_number(char* to, std::uint64_t value, bool share = false);

  char* text_ = nullptr;
  std::size_t length_ = 0, room_ = 0;
  std::string longer_;  // where there is not enough room otherwise
  bool owned_ = false, shares_ = false;
  std::span<const Column> columns_;
};

// top.cc: the field `recent`, what the tenant of this row did in each window.
void reply_recent(Context* context, const Module& module, std::uint32_t row);

// pages.cc: each a whole command.
int list_tenants(Context* context, String** argv, int argc);
int list_users(Context* context, String** argv, int argc);
int list_prefixes(Context* context, String** argv, int argc);
int list_databases(Context* context, String** argv, int argc);

// top.cc
int top(Context* context, String** argv, int argc);

}  // namespace tenants
