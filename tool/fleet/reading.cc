#include "tool/fleet/reading.h"

#include <algorithm>

#include "module/accounting/number.h"
#include "tool/snapshot/page.h"
#include "tool/snapshot/parse.h"

namespace tenants::tool {

namespace {

// A page keeps the server's main thread busy for some 0.2 µs per row, and 20 to 50 µs for coming and going. So pages
// are not large, not tiny, and sent for one by one, as long as there is time for that.
constexpr std::size_t kSmallPage = 500, kLargePage = 1000;
constexpr std::size_t kMostRowBytes = std::size_t{1} << 28;  // of the rows of a node: no server may fill our memory

std::size_t bytes_of(const Row& row) { return sizeof(Row) + row.name.size() + row.owner.size(); }

std::uint64_t position(std::string_view cursor) { return number_in<std::uint64_t>(cursor).value_or(0); }

// All pages of one table. `expected`: rows that there may be.
void read_table(Connection& connection, Table table, std::uint64_t expected, Deadline deadline, Node& node,
                std::size_t& bytes) {
  std::vector<Row>& rows = node.rows(table);
  std::size_t count = kSmallPage;
  std::string cursor = "0";
  while (true) {
    Deadline asked = Clock::now();
    Replies replies =
        connection.ask({{command(table), cursor, "COUNT", std::to_string(count), "FORMAT", "CSV"}}, deadline);
    const Reply& page = replies[0];
    check(page);
    if (page.elements.size() != 2) throw Failure(Exit::kError, "the module's reply has an unknown form");
    for (Row& row : read_page(table, page.elements[1].text)) {
      bytes += bytes_of(row);
      rows.push_back(std::move(row));
    }
    if (bytes > kMostRowBytes)
      throw Failure(Exit::kError, "the server names more rows than there is room for (256 MiB)");
    std::string next(page.elements[0].text);
    if (next == "0") return;
    if (position(next) <= position(cursor)) throw Failure(Exit::kError, "the module's cursor does not move on");
    cursor = std::move(next);
    Deadline now = Clock::now();
    auto pages = static_cast<double>(expected > rows.size() ? expected - rows.size() : 0) / static_cast<double>(count);
    if ((now - asked) * pages > (deadline - now) / 2) count = std::min(2 * count, kLargePage);
  }
}

}  // namespace

// The last command is the server's own: MODULE UNLOAD is refused while the last one of any client is the module's.
void read_node(Connection& connection, const Wanted& wanted, Deadline deadline, Node& node,
               std::vector<ClusterNode>* shards) {
  Replies status = connection.ask({{"TENANTS.STATUS"}}, deadline);
  read_status(status[0], node);
  std::size_t bytes = 0;
  if (wanted.tenants) read_table(connection, Table::kTenants, node.status_number("users"), deadline, node, bytes);
  if (wanted.users) read_table(connection, Table::kUsers, node.status_number("users"), deadline, node, bytes);
  if (wanted.prefixes) read_table(connection, Table::kPrefixes, node.status_number("prefixes"), deadline, node, bytes);
  std::vector<Command> last{{"INFO", "server", "replication", "memory"}};
  if (shards) last.insert(last.begin(), {"CLUSTER", "SHARDS"});
  Replies replies = connection.ask(last, deadline);
  if (shards) *shards = read_shards(replies[0], connection.target().address, connection.target().tls.enabled);
  const Reply& info = replies[replies.size() - 1];
  check(info);
  read_info(info.text, node);
  node.up = true;
}

}  // namespace tenants::tool
