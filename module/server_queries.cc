#include "module/server_queries.h"

#include <algorithm>
#include <iterator>

#include "module/accounting/number.h"
#include "module/accounting/server_text.h"

namespace tenants {

using server_api::api;
using server_api::Reply;

namespace {

std::uint64_t integer(server_api::CallReply* reply) {
  bool is_one = server_api::is(reply, server_api::kReplyInteger);
  return is_one ? static_cast<std::uint64_t>(api.CallReplyInteger(reply)) : 0;
}

}  // namespace

Reply ServerQueries::clients() const { return Reply(api.Call(context_, "CLIENT", "c", "LIST")); }

Reply ServerQueries::clients(const std::vector<server_api::OwnedString>& ids) const {
  std::vector<server_api::String*> words;
  words.reserve(ids.size());
  for (const server_api::OwnedString& id : ids) words.push_back(id.get());
  return Reply(api.Call(context_, "CLIENT", "ccv", "LIST", "ID", words.data(), words.size()));
}

Reply ServerQueries::client(std::uint64_t id) const {
  return Reply(api.Call(context_, "CLIENT", "ccl", "LIST", "ID", static_cast<long long>(id)));
}

Reply ServerQueries::links_to_primaries() const {
  return Reply(api.Call(context_, "CLIENT", "ccc", "LIST", "TYPE", "master"));
}

Reply ServerQueries::user(std::string_view name) const {
  return Reply(api.Call(context_, "ACL", "cb", "GETUSER", name.data(), name.size()));
}

Reply ServerQueries::user_names() const { return Reply(api.Call(context_, "ACL", "c", "USERS")); }

Reply ServerQueries::acl() const { return Reply(api.Call(context_, "ACL", "c", "LIST")); }

std::optional<bool> ServerQueries::may_run(std::string_view user, std::span<const std::string_view> words) const {
  std::vector<server_api::OwnedString> owned;
  std::vector<server_api::String*> strings;
  for (std::string_view word : words) {
    owned.emplace_back(api.CreateString(nullptr, word.data(), word.size()));
    strings.push_back(owned.back().get());
  }
  Reply reply(api.Call(context_, "ACL", "cbv", "DRYRUN", user.data(), user.size(), strings.data(), strings.size()));
  if (!server_api::is(reply.get(), server_api::kReplyString)) return std::nullopt;
  return server_api::text(reply.get()) == "OK";
}

// Not COMMAND: from 9.1 on the server keeps that reply, 200 kB, besides those of the commands.
Reply ServerQueries::commands() const { return Reply(api.Call(context_, "COMMAND", "c", "INFO")); }

Reply ServerQueries::command(server_api::String* name) const {
  return Reply(api.Call(context_, "COMMAND", "cs", "INFO", name));
}

std::optional<std::uint64_t> ServerQueries::statistic(std::string_view field) const {
  Reply reply(api.Call(context_, "INFO", "c", "stats"));
  return info_number(server_api::text(reply.get()), field);
}

std::optional<DatabaseSizes> ServerQueries::databases() const {
  Reply reply(api.Call(context_, "INFO", "c", "keyspace"));
  if (!server_api::is(reply.get(), server_api::kReplyString)) return std::nullopt;
  return info_databases(server_api::text(reply.get()));
}

std::optional<Saves> ServerQueries::saves() const {
  Reply reply(api.Call(context_, "INFO", "c", "persistence"));
  std::string_view info = server_api::text(reply.get());
  std::optional<std::uint64_t> changes = info_number(info, "rdb_changes_since_last_save");
  std::optional<std::uint64_t> saved = info_number(info, "rdb_last_save_time");
  return changes && saved ? std::optional(Saves{*changes, *saved}) : std::nullopt;
}

std::optional<MemoryStats> ServerQueries::memory() const {
  Reply stats(api.Call(context_, "MEMORY", "c", "STATS"));
  if (!server_api::is(stats.get(), server_api::kReplyArray)) return std::nullopt;
  MemoryStats memory;
  for (std::size_t i = 0; i + 1 < api.CallReplyLength(stats.get()); i += 2) {
    std::string_view name = server_api::text(api.CallReplyArrayElement(stats.get(), i));
    server_api::CallReply* value = api.CallReplyArrayElement(stats.get(), i + 1);
    if (name == "total.allocated") memory.used = integer(value);
    if (name == "overhead.total") memory.overhead = integer(value);
    if (name == "overhead.db.hashtable.lut") memory.buckets = integer(value);
    if (name == "keys.count") memory.keys = integer(value);
    if (name.starts_with("db.") && server_api::is(value, server_api::kReplyArray))
      for (std::size_t j = 1; j < api.CallReplyLength(value); j += 2)
        memory.tables += integer(api.CallReplyArrayElement(value, j));
  }
  return memory;
}

std::vector<SlotRange> ServerQueries::importing_slots() const {
  Reply migrations(api.Call(context_, "CLUSTER", "c", "GETSLOTMIGRATIONS"));
  std::vector<SlotRange> slots;
  if (!server_api::is(migrations.get(), server_api::kReplyArray)) return slots;
  for (std::size_t i = 0; i < api.CallReplyLength(migrations.get()); ++i) {
    server_api::CallReply* migration = api.CallReplyArrayElement(migrations.get(), i);
    std::string_view operation, state, ranges;
    for (std::size_t j = 0; j + 1 < api.CallReplyLength(migration); j += 2) {
      std::string_view name = server_api::text(api.CallReplyArrayElement(migration, j));
      server_api::CallReply* value = api.CallReplyArrayElement(migration, j + 1);
      if (name == "operation") operation = server_api::text(value);
      if (name == "state") state = server_api::text(value);
      if (name == "slot_ranges") ranges = server_api::text(value);
    }
    if (operation != "IMPORT" || state == "success" || state == "failed" || state == "cancelled") continue;
    std::ranges::copy(slot_ranges(ranges), std::back_inserter(slots));
  }
  return slots;
}

std::optional<std::uint64_t> ServerQueries::memory_usage(server_api::String* key, long long samples) const {
  Reply size(api.Call(context_, "MEMORY", "cscl", "USAGE", key, "SAMPLES", samples));
  if (!server_api::is(size.get(), server_api::kReplyInteger)) return std::nullopt;
  return static_cast<std::uint64_t>(api.CallReplyInteger(size.get()));
}

std::optional<long long> ServerQueries::slow_log_usec() const {
  Reply reply(api.Call(context_, "CONFIG", "cc", "GET", "slowlog-log-slower-than"));
  if (!server_api::is(reply.get(), server_api::kReplyArray) || api.CallReplyLength(reply.get()) < 2)
    return std::nullopt;
  return number_in<long long>(server_api::text(api.CallReplyArrayElement(reply.get(), 1)));
}

void ServerQueries::call_once() const {
  constexpr std::uint64_t kNobody = 0x7fffffffffffffff;
  Reply usage(api.Call(context_, "MEMORY", "cc", "USAGE", ""));
  client(kNobody);
}

}  // namespace tenants
