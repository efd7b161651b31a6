// Reads the bytes that went over connections.
#include "module/accounting/bytes.h"

#include "module/hooks/hooks.h"

namespace tenants {

namespace {

void take(Module& module, Client& client, const ClientLine& line) {
  bool anothers = client.is(Client::kNewBytes);
  module.bytes.take(client, line, module.users[anothers ? UserTable::kOther : client.user]);
  client.clear(Client::kNewBytes);
}

}  // namespace

void take_last_bytes(Module& module, Client& client) {
  Bytes& bytes = module.bytes;
  if (!bytes.known()) return;
  std::uint64_t start = monotonic_usec();
  bool wanted = module.settings.bytes_interval > 0;
  if (!bytes.affords_look(start) || !wanted || client.is(Client::kUnlisted) || module.slow_log.has_ours()) {
    client.set(Client::kNewBytes);
    if (wanted) bytes.missed_one();
    return;
  }
  server_api::Reply reply = module.ask.client(client.id);
  std::string_view line = server_api::text(reply.get());
  if (!line.empty()) take(module, client, ClientLine(line));
  bytes.looked(monotonic_usec() - start);
}

void read_some_bytes(Module& module) {
  Bytes& bytes = module.bytes;
  if (!bytes.known() || module.settings.bytes_interval == 0 || module.slow_log.has_ours()) return;
  std::uint64_t start = monotonic_usec();
  if (!bytes.is_due(start)) return;
  std::uint64_t cpu = thread_cpu_usec();
  std::uint32_t place = list_some(module, bytes.begin_part(start), Bytes::part_of(module.clients.size()),
                                  [&](Client& client, const ClientLine& line) { take(module, client, line); });
  auto interval = static_cast<std::uint64_t>(module.settings.bytes_interval) * 1000;
  bytes.end_part(place, start, thread_cpu_usec() - cpu, interval);
}

}  // namespace tenants
