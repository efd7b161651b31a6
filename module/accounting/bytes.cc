#include "module/accounting/bytes.h"

#include <algorithm>

namespace tenants {

void Bytes::take(Client& client, const ClientLine& line, User& user) {
  std::optional<std::uint64_t> in = line.number("tot-net-in"), out = line.number("tot-net-out");
  known_ = in && out;
  if (!known_) return;
  if (*in >= client.bytes_in) user.of(Counter::kBytesIn) += *in - client.bytes_in;
  if (*out >= client.bytes_out) user.of(Counter::kBytesOut) += *out - client.bytes_out;
  client.bytes_in = *in;
  client.bytes_out = *out;
}

void Bytes::begin(Client& client, const ClientLine& line) const {
  client.bytes_in = line.number("tot-net-in").value_or(0);
  client.bytes_out = line.number("tot-net-out").value_or(0);
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
