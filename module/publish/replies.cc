#include "module/publish/replies.h"

#include <algorithm>
#include <charconv>
#include <utility>

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

char* CsvText::write(char* to, std::string_view text) { return std::ranges::copy(text, to).out; }

// By RFC 4180, up to twice as long and two.
char* CsvText::write_quoted(char* to, std::string_view text) {
  // find_first_of() takes several ns a byte; what has to be quoted lies at or below the comma.
  bool low = false;
  for (unsigned char byte : text) low |= byte <= ',';
  if (!low || text.find_first_of(",\"\r\n") == std::string_view::npos) return write(to, text);
  *to++ = '"';
  for (char byte : text) {
    if (byte == '"') *to++ = '"';
    *to++ = byte;
  }
  *to++ = '"';
  return to;
}

constexpr std::size_t kLongestNumber = 22;  // with the comma; a share has a point, too

// With the comma in front.
inline char* CsvText::write_number(char* to, std::uint64_t value, bool share) {
  to[0] = ',';
  to[1] = static_cast<char>('0' + value);
  if (value < 10 && !share) [[likely]]  // most are: 1 ns instead of 4
    return to + 2;
  ++to;
  if (value == kAbsent) return to;
  to = std::to_chars(to, to + kLongestNumber, share ? value / 1000 : value).ptr;
  if (!share) return to;
  auto thousandths = static_cast<std::uint32_t>(value % 1000);
  to[0] = '.';
  to[1] = static_cast<char>('0' + thousandths / 100);
  to[2] = static_cast<char>('0' + thousandths / 10 % 10);
  to[3] = static_cast<char>('0' + thousandths % 10);
  return to + 4;
}

namespace {

// Most pages fit in here. To ask for memory and clear it would take a tenth of their time, and be seen in the server's
// used memory, which the row "(overhead)" is made of.
char page[std::size_t{128} << 10];

}  // namespace

void CsvText::make_room(std::size_t bytes) {
  if (room_ - length_ >= bytes) return;
  std::string longer(2 * room_ + bytes, '\0');
  std::copy_n(text_, length_, longer.data());
  longer_ = std::move(longer);
  text_ = longer_.data();
  room_ = longer_.size();
}

void CsvText::begin(const char* owner, std::span<const Column> columns, std::initializer_list<const char*> changes) {
  owned_ = owner != nullptr;
  columns_ = columns;
  shares_ = std::ranges::any_of(columns, [](const Column& column) { return column.kind == Column::kShare; });
  std::string names = "name,kind";
  if (owner) names.append(",").append(owner);
  for (const Column& column : columns) names.append(",").append(column.name);
  for (const char* change : changes) names.append(",").append(change);
  names += '\n';
  text_ = page;
  room_ = sizeof page;
  length_ = 0;
  make_room(names.size());
  length_ = static_cast<std::size_t>(write(text_, names) - text_);
}

void CsvText::add(std::string_view name, const char* kind, std::string_view owner,
                  std::span<const std::uint64_t> values, std::span<const Change> changes) {
  std::string_view kind_text = kind;
  make_room(2 * (name.size() + owner.size() + 4) + kind_text.size() +
            kLongestNumber * (values.size() + changes.size()));
  char* end = write_quoted(text_ + length_, name);
  *end++ = ',';
  end = write(end, kind_text);
  if (owned_) {
    *end++ = ',';
    end = write_quoted(end, owner);
  }
  std::size_t i = 0;
  if (!shares_) {
    // Most tenants use little: of four numbers that are next to each other often all are 0.
    for (; i + 4 <= values.size(); i += 4) {
      const std::uint64_t* four = &values[i];
      if ((four[0] | four[1] | four[2] | four[3]) == 0)
        end = write(end, ",0,0,0,0");
      else
        for (int of = 0; of < 4; ++of) end = write_number(end, four[of]);
    }
  }
  for (; i < values.size(); ++i) end = write_number(end, values[i], columns_[i].kind == Column::kShare);
  for (const Change& change : changes) {
    *end++ = ',';
    if (change) end = std::to_chars(end, end + kLongestNumber, *change).ptr;
  }
  *end++ = '\n';
  length_ = static_cast<std::size_t>(end - text_);
}

bool is_word(std::string_view text, std::string_view lower) {
  auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; };
  return std::ranges::equal(text, lower, same);
}

std::optional<std::uint64_t> read_count(std::string_view text) {
  std::optional<std::uint64_t> count = number_in<std::uint64_t>(text);
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
