// Whose connection is it? The client table, filled by connect events and on first sight, dropped on disconnect.
//
// What may change a client's user is seen before it runs, if it ever does, and the server says who it is only when
// asked. So there is one way to say that it must be asked later, ask_again(), and one to have it asked now, be_right().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "module/accounting/clients.h"
#include "server_api/types.h"

namespace tenants {

struct Module;

class Identity {
 public:
  // Its table of clients is there; pointers to entries follow them from now on.
  explicit Identity(Module& module);

  // Later.

  // When what this client has sent has run, its user may be another one, or the command was refused: asks before the
  // next command counts, and once more at the client's own next command. Allocates.
  void ask_again(Client& client);
  void ask_again_for_all() { all_ = true; }
  // A link to a primary came up: it has no connect event, and only on its first command would it be seen.
  void ask_for_links() { links_ = true; }
  // Whether clients must log in may have changed.
  void ask_for_default() { default_is_open_.reset(); }
  // CLIENT LIST names each client's last command, and reads freed memory where that went with its module. O(clients).
  void module_went();
  bool asks_again() const { return !marked_.empty(); }

  // Now.

  enum class Of : std::uint8_t { kMarked, kEverybody };
  // Asks for those that are marked, or for whom it was said of all, and for links. `done`: the command that the filter
  // saw last has run. `next`: who runs its next command now; the others are asked for once more when they do. O(those).
  void be_right(Of whom, bool done, const Client* next = nullptr);
  // The client begins its next command: asks once more, if that was said.
  void begin_command(Client& client);
  // An attempt to log in has just been made: its user, as the server has it now.
  void logged_in(Client& client);

  // The entry of a client that the table does not know yet; null for clients that are none: scripts, calls by modules.
  Client* adopt(std::uint64_t id);
  // Those that are connected when the module is loaded. O(clients).
  void adopt_existing();
  void left(Client& client);

  // What the server says of the client; nothing where it must not be asked. From 9.0 on it takes whoever executes now
  // if that has this id, which may be a client of its pool, without a connection: the server would end. So nobody may
  // execute but a client with a connection: the one whose script has called this filter, or nobody at all.
  std::optional<server_api::ClientInfo> ask_for(const Client& client) const;
  // Does what it sent last wait, for data or for the end of CLIENT PAUSE? Nothing where it must not be asked for.
  std::optional<bool> is_blocked(const Client& client) const;
  // Whether the client's line of CLIENT LIST has this letter among its flags; no, where it must not be asked for.
  // Some 3 µs.
  bool has_mark(const Client& client, char letter) const;

  // Whether the server lets clients in that have not logged in. O(1); some 10 µs after that may have changed.
  bool default_is_open();
  // The client has yet to log in, if the server asks for it.
  void mark_anonymous(Client& client);
  void begin_monitor() { ++monitors_; }
  void end_monitor(Client& client);
  std::uint64_t monitors() const { return monitors_; }
  // The client uses, or may use, CLIENT NO-TOUCH from now on. Before 9.1 a key that is opened before its command runs
  // ends the server: lookupKey() reads server.executing_client->cmd, and nobody executes yet. Allocates.
  void uses_no_touch(const Client& client);
  bool may_open_keys_for(const Client& client) const { return !no_touch_.contains(client.id); }

 private:
  std::optional<std::uint32_t> user_of(std::uint64_t id) const;
  void ask(Client& client);
  void adopt_all(std::string_view list);
  void settle_marks(Client& client);

  std::vector<std::uint64_t> marked_;
  bool all_ = false, links_ = false;
  bool a_module_went_ = false;
  Module& module_;
  std::optional<bool> default_is_open_;  // nothing: ask
  std::uint64_t monitors_ = 0;
  std::array<std::uint64_t, 16> nobodys_{};  // ids that were asked for, and are no client's
  std::unordered_set<std::uint64_t> no_touch_;
};

}  // namespace tenants
