#include "module/publish/replies.h"

#include <algorithm>
#include <charconv>

namespace tenants {

using server_api::api;

void reply(Context* context, std::string_view text) { api.ReplyWithStringBuffer(context, text.data(), text.size()); }

void reply_field(Context* context, const char* name, std::uint64_t value) {
  reply(context, name);
  api.ReplyWithLongLong(context, static_cast<long long>(value));
}

void reply_field(Context* context, const char* name, std::string_view value) {
  reply(context, name);
  reply(context, value);
}

int refuse(Context* context, const std::string& why) {
  return api.ReplyWithError(context, ("ERR tenants: " + why).c_str());
}

long known(std::span<const std::uint64_t> values) {
  return std::ranges::count_if(values, [](std::uint64_t value) { return value != kAbsent; });
}

void reply_values(Context* context, std::span<const Column> columns, std::span<const std::uint64_t> values) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (values[i] == kAbsent) continue;
    reply(context, columns[i].name);
    if (columns[i].kind == Column::kShare)
      api.ReplyWithDouble(context, static_cast<double>(values[i]) / 1000);
    else
      api.ReplyWithLongLong(context, static_cast<long long>(values[i]));
  }
}

void CsvText::begin(const char* owner, std::span<const Column> columns, std::size_t rows,
                    std::initializer_list<const char*> changes) {
  text_.reserve(512 + rows * 4 * columns.size());
  owned_ = owner != nullptr;
  columns_ = columns;
  text_ = "name,kind";
  if (owner) text_.append(",").append(owner);
  for (const Column& column : columns) text_.append(",").append(column.name);
  for (const char* change : changes) text_.append(",").append(change);
  text_ += '\n';
}

void CsvText::add(std::string_view name, const char* kind, std::string_view owner,
                  std::span<const std::uint64_t> values, std::span<const Change> changes) {
  add_text(name);
  text_.append(",").append(kind);
  if (owned_) {
    text_ += ',';
    add_text(owner);
  }
  constexpr std::size_t kLongest = 21;  // of a number, with its comma
  char numbers[kLongest * std::max(std::size(kTenantColumns), std::size(kPrefixColumns))];
  char* end = numbers;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t value = values[i];
    bool share = columns_[i].kind == Column::kShare;
    end[0] = ',';
    end[1] = static_cast<char>('0' + value);
    if (value < 10 && !share) [[likely]] {  // most are: 1 ns instead of 4
      end += 2;
      continue;
    }
    ++end;
    if (value == kAbsent) continue;
    end = std::to_chars(end, end + kLongest, share ? value / 1000 : value).ptr;
    if (!share) continue;
    *end++ = '.';
    for (std::uint64_t place : {100, 10, 1}) *end++ = static_cast<char>('0' + value / place % 10);
  }
  text_.append(numbers, end);
  for (const Change& change : changes) text_.append(",").append(change ? std::to_string(*change) : "");
  text_ += '\n';
}

void CsvText::add_text(std::string_view text) {
  // find_first_of() takes several ns a byte; what RFC 4180 quotes lies at or below the comma.
  bool low = false;
  for (unsigned char byte : text) low |= byte <= ',';
  if (!low || text.find_first_of(",\"\r\n") == std::string_view::npos) {
    text_ += text;
    return;
  }
  text_ += '"';
  for (char byte : text) text_.append(byte == '"' ? 2 : 1, byte);
  text_ += '"';
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_word(std::string_view text, std::string_view lower) {
  auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; };
  return std::ranges::equal(text, lower, same);
}

std::optional<std::uint64_t> read_count(std::string_view text) {
  std::optional<std::uint64_t> count = number(text);
  return count && *count >= 1 && *count <= kMaxCount ? count : std::nullopt;
}

std::optional<bool> read_format(std::string_view text) {
  bool csv = is_word(text, "csv");
  return csv || is_word(text, "map") ? std::optional(csv) : std::nullopt;
}

std::optional<std::size_t> find_column(std::span<const Column> columns, std::string_view name) {
  auto found = std::ranges::find_if(columns, [&](const Column& column) { return is_word(name, column.name); });
  return found == columns.end() ? std::nullopt : std::optional<std::size_t>(found - columns.begin());
}

std::string column_rule(std::span<const Column> columns) {
  std::string rule = "invalid column, allowed are ";
  for (const Column& column : columns) rule.append(&column == columns.data() ? "" : ", ").append(column.name);
  return rule;
}

}  // namespace tenants
