// What the server's COMMAND says, and the names that it leaves out.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "module/accounting/words.h"
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

// Does the server know a command of this name? A renamed one is known by its new name only.
bool is_command(server_api::String* name) {
  int keys = 0;
  errno = 0;
  int* positions = api.GetCommandKeys(nullptr, &name, 1, &keys);
  if (!positions) return errno != ENOENT;
  api.Free(positions);
  return true;
}

// Calls `visit(name, value)` for each pair of a map, as RESP2 has it.
template <typename Visit>
void for_each_pair(server_api::CallReply* map, Visit visit) {
  if (!server_api::is(map, server_api::kReplyArray)) return;
  for (std::size_t i = 0; i + 1 < api.CallReplyLength(map); i += 2)
    visit(server_api::text(api.CallReplyArrayElement(map, i)), api.CallReplyArrayElement(map, i + 1));
}

std::vector<KeySpecification> key_specifications(server_api::CallReply* replies) {
  std::vector<KeySpecification> all;
  if (!server_api::is(replies, server_api::kReplyArray)) return all;
  for (std::size_t i = 0; i < api.CallReplyLength(replies); ++i) {
    KeySpecification keys;
    bool are_keys = true;
    for_each_pair(api.CallReplyArrayElement(replies, i), [&](std::string_view field, server_api::CallReply* value) {
      for (std::size_t f = 0; field == "flags" && f < api.CallReplyLength(value); ++f) {
        std::string_view flag = server_api::text(api.CallReplyArrayElement(value, f));
        keys.reads |= flag == "access";
        keys.writes |= flag == "update" || flag == "insert" || flag == "delete";
        keys.incomplete |= flag == "incomplete" || flag == "variable_flags";
        are_keys &= flag != "not_key";
      }
      if (field != "begin_search" && field != "find_keys") return;
      for_each_pair(value, [&](std::string_view, server_api::CallReply* spec) {
        for_each_pair(spec, [&](std::string_view what, server_api::CallReply* said) {
          if (what == "keyword") keys.keyword = server_api::text(said);
          if (!server_api::is(said, server_api::kReplyInteger)) return;
          int number = static_cast<int>(api.CallReplyInteger(said));
          if (what == "index") keys.index = number;
          if (what == "startfrom") keys.from = number;
          if (what == "lastkey") keys.ranges = true, keys.last = number;
          if (what == "limit") keys.limit = number;
          if (what == "keynumidx") keys.numbered = true, keys.number = number;
          if (what == "firstkey") keys.first = number;
          if (what == "keystep") keys.step = number;
        });
      });
    });
    if (are_keys) all.push_back(keys);
  }
  return all;
}

// Keys by the server's own reading of the words, which mostly leaves out what is done to them: for what specifications
// don't tell.
std::vector<WriteCommand::Key> keys_by_server(const std::vector<std::string_view>& words) {
  std::vector<server_api::OwnedString> owned;
  std::vector<server_api::String*> strings;
  owned.reserve(words.size());
  strings.reserve(words.size());
  for (std::string_view word : words)
    strings.push_back(owned.emplace_back(api.CreateString(nullptr, word.data(), word.size())).get());
  int count = 0, *flags = nullptr;
  int* places = api.GetCommandKeysWithFlags(nullptr, strings.data(), static_cast<int>(strings.size()), &count, &flags);
  std::unique_ptr<int, decltype(api.Free)> places_owned(places, api.Free), flags_owned(flags, api.Free);
  std::vector<WriteCommand::Key> keys;
  for (int i = 0; places && flags && i < count; ++i)
    keys.push_back({static_cast<std::uint32_t>(places[i]), (flags[i] & server_api::kKeyAccess) != 0,
                    (flags[i] & server_api::kKeyWrites) != 0});
  return keys;
}

// Finds words by which the command writes a key: as many as it wants at least, with a number where it takes one of the
// keys, a target after STORE (SORT, GEORADIUS), or SET (BITFIELD). Else false.
bool find_example(WriteCommand& command, const std::vector<KeySpecification>& keys, std::string_view called,
                  int arity) {
  auto writes_by = [&](std::string text) {
    std::vector<std::string_view> words = words_in(text);
    std::optional<std::vector<WriteCommand::Key>> found = find_keys(keys, words);
    command.keys = found ? std::move(*found) : keys_by_server(words);
    command.words = std::move(text);
    return std::ranges::any_of(command.keys, &WriteCommand::Key::writes);
  };
  auto some = [](std::size_t count) {
    std::string words;
    while (count-- > 0) words += " x";
    return words;
  };
  std::string name(called);
  std::ranges::replace(name, '|', ' ');
  std::size_t least = static_cast<std::size_t>(std::abs(arity)) - (name == called ? 1 : 2);
  std::string shortest = name + some(least);
  if (writes_by(shortest)) return true;
  for (std::size_t before = 0; before + 1 < least && before < 3; ++before)
    if (writes_by(name + some(before) + " 1" + some(least - before - 1))) return true;
  return writes_by(shortest + " STORE x") || writes_by(shortest + " SET u8 0 1");
}

// One element of the reply of COMMAND or COMMAND INFO: name, arity, flags, …, subcommands at 9. `called`: by which
// clients call it, where it was renamed.
// `container`: the words of rules that concern the one that it is a subcommand of.
void add_command(CommandTable& table, std::vector<WriteCommand>& write_commands, server_api::CallReply* info,
                 std::string_view called, std::string_view container = " @all ") {
  if (!server_api::is(info, server_api::kReplyArray)) return;
  std::string_view name = server_api::text(api.CallReplyArrayElement(info, 0));
  int arity = static_cast<int>(api.CallReplyInteger(api.CallReplyArrayElement(info, 1)));
  server_api::CallReply* flags = api.CallReplyArrayElement(info, 2);
  bool reads = false, writes = false, administers = false, publishes = false;
  std::uint32_t special = special_of(name);
  for (std::size_t i = 0; i < api.CallReplyLength(flags); ++i) {
    std::string_view flag = server_api::text(api.CallReplyArrayElement(flags, i));
    reads |= flag == "readonly";
    writes |= flag == "write";
    administers |= flag == "admin";
    publishes |= flag == "pubsub";
    if (flag == "no_multi") special |= CommandEntry::kNoMulti;
    if (flag == "noscript") special |= CommandEntry::kNoScript;
    if (flag == "no_auth") special |= CommandEntry::kNoAuth;
    if (flag == "module") special |= CommandEntry::kIdentity | CommandEntry::kOtherDatabase | CommandEntry::kOfModule;
  }
  bool script = special & CommandEntry::kScript && !(special & CommandEntry::kExec);
  Kind kind = script        ? Kind::kScript
              : writes      ? Kind::kWrite
              : reads       ? Kind::kRead
              : publishes   ? Kind::kPubsub
              : administers ? Kind::kAdmin
                            : Kind::kOther;
  std::string rules = std::string(container).append(name).append(" ");
  server_api::CallReply* categories = api.CallReplyArrayElement(info, 6);
  for (std::size_t i = 0; i < api.CallReplyLength(categories); ++i)
    rules.append(server_api::text(api.CallReplyArrayElement(categories, i))).append(" ");
  server_api::CallReply* subcommands = api.CallReplyArrayElement(info, 9);
  if (server_api::is(subcommands, server_api::kReplyArray) && api.CallReplyLength(subcommands) > 0) {
    special |= CommandEntry::kContainer;
    for (std::size_t i = 0; i < api.CallReplyLength(subcommands); ++i) {
      server_api::CallReply* subcommand = api.CallReplyArrayElement(subcommands, i);
      std::string_view full = server_api::text(api.CallReplyArrayElement(subcommand, 0));
      add_command(table, write_commands, subcommand,
                  std::string(called).append(full.substr(std::min(full.find('|'), full.size()))), rules);
    }
  }
  WriteCommand command;
  if (writes && find_example(command, key_specifications(api.CallReplyArrayElement(info, 8)), called, arity)) {
    command.name = name;
    command.rules = std::move(rules);
    write_commands.push_back(std::move(command));
  }
  table.add(called, name, kind, arity, special);
}

}  // namespace

const CommandEntry* learn(Module& module, server_api::String* name) {
  if (!is_command(name)) return nullptr;
  server_api::Reply reply = module.ask.command(name);
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return nullptr;
  module.last_command = nullptr;  // the table may move
  std::size_t writes = module.writes.size();
  add_command(module.commands, module.writes, api.CallReplyArrayElement(reply.get(), 0), view(name));
  if (module.writes.size() > writes) module.acl_changes.read_all();  // renamed: nobody knew by what users may write
  return module.commands.find(view(name));
}

void read_command_table(Module& module) {
  server_api::Reply reply = module.ask.commands();
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return;
  module.commands.clear();
  module.writes.clear();
  module.last_command = nullptr;
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i) {
    server_api::CallReply* info = api.CallReplyArrayElement(reply.get(), i);
    if (!server_api::is(info, server_api::kReplyArray)) continue;
    std::string_view name = server_api::text(api.CallReplyArrayElement(info, 0));
    server_api::OwnedString string(api.CreateString(nullptr, name.data(), name.size()));
    if (is_command(string.get())) add_command(module.commands, module.writes, info, name);
  }
}

}  // namespace tenants
