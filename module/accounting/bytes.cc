#include "module/accounting/bytes.h"

#include <algorithm>

namespace tenants {

Bytes::Seen& Bytes::seen(const Client& client) {
  Seen* seen = seen_.find(client.id);
  return seen ? *seen : seen_.insert(client.id);
}

void Bytes::take(const Client& client, const ClientLine& line, User& user) {
  std::optional<std::uint64_t> in = line.number("tot-net-in"), out = line.number("tot-net-out");
  known_ = in && out;
  if (!known_) return;
  Seen& before = seen(client);
  if (*in >= before.in) user.of(Counter::kBytesIn) += *in - before.in;
  if (*out >= before.out) user.of(Counter::kBytesOut) += *out - before.out;
  before.in = *in;
  before.out = *out;
}

void Bytes::begin(const Client& client, const ClientLine& line) {
  Seen& now = seen(client);
  now.in = line.number("tot-net-in").value_or(0);
  now.out = line.number("tot-net-out").value_or(0);
}

bool Bytes::affords_look(std::uint64_t now) {
  constexpr std::uint64_t kShare = 100;
  constexpr std::int64_t kMostCredit = 50'000;
  std::uint64_t earned = (now - credited_) / kShare;
  credited_ += earned * kShare;  // what is left counts next time: connections may go 20 us one after the other
  credit_ = std::min(kMostCredit, credit_ + static_cast<std::int64_t>(earned));
  return credit_ >= 0;
}

std::uint32_t Bytes::begin_part(std::uint64_t now) {
  if (place_ == 0) round_began_ = now;
  return place_;
}

void Bytes::end_part(std::uint32_t place, std::uint64_t began, std::uint64_t cpu, std::uint64_t interval) {
  constexpr std::uint64_t kRest = 400;
  place_ = place;
  next_ = began + std::max(interval, cpu * kRest);
}

}  // namespace tenants
