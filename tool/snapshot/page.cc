#include "tool/snapshot/page.h"

#include "tool/snapshot/parse.h"

namespace tenants::tool {

namespace {

// The fields of a text by RFC 4180, one after the other.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  // Was the last one the last of its line?
  bool ends_line() const { return ends_line_; }
  // Valid until the next one.
  std::string_view next() {
    std::string_view field;
    if (rest_.starts_with('"')) {
      field = quoted();
    } else {
      std::size_t end = rest_.find_first_of(",\n");
      if (end == std::string_view::npos) fail();
      field = rest_.substr(0, end);
      rest_.remove_prefix(end);
    }
    if (rest_.empty() || (rest_[0] != ',' && rest_[0] != '\n')) fail();
    ends_line_ = rest_[0] == '\n';
    rest_.remove_prefix(1);
    return field;
  }
  [[noreturn]] static void fail() { throw Failure(Exit::kError, "the module's reply has an unknown form"); }

 private:
  std::string_view quoted() {
    together_.clear();
    while (true) {
      rest_.remove_prefix(1);
      std::size_t end = rest_.find('"');
      if (end == std::string_view::npos) fail();
      together_ += rest_.substr(0, end);
      rest_.remove_prefix(end + 1);
      if (!rest_.starts_with('"')) return together_;
      together_ += '"';
    }
  }

  std::string_view rest_;
  std::string together_;  // the last one that had quotes
  bool ends_line_ = true;
};

}  // namespace

std::vector<Row> read_page(Table table, std::string_view csv, const OtherField& other) {
  std::span<const Column> known = columns(table);
  enum : std::size_t { kUnknown = kMostColumns, kName, kKind, kOwner };
  std::vector<std::size_t> header;  // of each field, which column it is
  std::vector<std::string> names;
  Fields fields(csv);
  do {
    std::string_view field = fields.next();
    std::optional<std::size_t> column = find_column(table, field);
    header.push_back(column                                  ? *column
                     : field == "name"                       ? kName
                     : field == "kind"                       ? kKind
                     : field == "owner" || field == "tenant" ? kOwner
                                                             : kUnknown);
    names.emplace_back(field);
  } while (!fields.ends_line());
  std::vector<Row> rows;
  while (!fields.at_end()) {
    Row& row = rows.emplace_back();
    for (std::size_t i = 0; i < header.size(); ++i) {
      std::string_view field = fields.next();
      if (fields.ends_line() != (i + 1 == header.size())) Fields::fail();
      if (header[i] == kName)
        row.name = field;
      else if (header[i] == kKind)
        row.kind = kind_of(field);
      else if (header[i] == kOwner)
        row.owner = field;
      else if (header[i] < kMostColumns)
        row.values[header[i]] = read_number(known[header[i]], field);
      else if (other)
        other(rows, names[i], field);
    }
    if (is_own(row.kind)) row.name = std::string("(") + kind_name(row.kind) + ")";  // never the server's words
  }
  return rows;
}

}  // namespace tenants::tool
