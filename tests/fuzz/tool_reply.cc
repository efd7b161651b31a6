// What a server sends: rows and shards are read out of any reply, and it doesn't matter in which pieces it comes.
#include <algorithm>
#include <optional>

#include "tests/fuzz/input.h"
#include "tool/client/failure.h"
#include "tool/client/topology.h"
#include "tool/snapshot/parse.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

// Nothing where it is no RESP.
std::optional<std::size_t> complete_replies(std::string_view bytes, std::size_t piece) {
  ReplyReader reader;
  try {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) reader.feed(bytes.substr(0, piece));
  } catch (const Failure&) {
    return std::nullopt;
  }
  std::size_t count = reader.complete();
  Replies replies = reader.take();
  require(replies.size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    replies[i].number();
    replies[i].find("name");
    for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes}) {
      try {
        Row row = read_row(table, replies[i]);
        for (const std::string& shown : {shown_title(row), shown_owner(row)})
          require(std::ranges::all_of(shown, [](char c) { return c >= ' ' && c <= '~'; }));
      } catch (const Failure&) {
      }
    }
    try {
      read_shards(replies[i], {.host = "localhost"}, false);
    } catch (const Failure&) {
    }
    try {
      require(!read_sentinel(replies[0], replies[i], replies[count - 1], "name").empty());
    } catch (const Failure&) {
    }
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::optional<std::size_t> whole = complete_replies(bytes, bytes.size());
  std::optional<std::size_t> in_pieces = complete_replies(bytes, 1 + data[0] % 32);
  require(whole == in_pieces);
  return 0;
}
