#include "module/accounting/acl_changes.h"

#include <algorithm>
#include <new>

#include "module/accounting/users.h"

namespace tenants {

namespace {

constexpr std::uint64_t kSeveral = ~std::uint64_t{0};  // clients

}  // namespace

void AclChanges::tell(std::uint64_t client, std::string_view user, bool queued, bool closes) {
  if (user.size() > UserTable::kLongestName) user = {};
  for (Told& other : told_) {
    if (other.client != client || other.queued != queued || (other.user != user && !other.user.empty())) continue;
    other.closes |= closes;
    return;
  }
  try {
    if (told_.size() >= kMostTold) throw std::bad_alloc();
    told_.push_back({client, std::string(user), queued, closes});
  } catch (...) {  // which user it is was lost
    lost_ = lost_ && lost_ != client ? kSeveral : client;
    all_ |= !queued;
  }
}

void AclChanges::begins(std::uint64_t client) {
  for (Told& each : told_)
    if (each.client == client && !each.queued) each.client = 0;
}

void AclChanges::exec_runs(std::uint64_t client) {
  all_ |= lost_ == client || lost_ == kSeveral;
  for (Told& each : told_)
    if (each.client == client) each.queued = false;
}

void AclChanges::forget(std::uint64_t client) {
  std::erase_if(told_, [&](const Told& each) { return each.client == client && each.queued; });
}

void AclChanges::rejected(std::uint64_t client) {
  std::erase_if(told_, [&](const Told& each) { return each.client == client && !each.queued; });
}

void AclChanges::gone(std::uint64_t client, bool waits) {
  if (lost_ == client) lost_ = 0;
  std::erase_if(told_, [&](const Told& each) { return each.client == client && (each.queued || waits); });
  for (Told& each : told_)
    if (each.client == client) each.client = 0;
}

bool AclChanges::waits(Told& told, Client client) const {
  if (client == Client::kNone) return false;
  if (client == Client::kBlocked) told.waited = ticks_;
  return told.waited && ticks_ < told.waited + 2;
}

AclChanges::Ran AclChanges::settle(const std::function<Client(std::uint64_t client)>& client) {
  Ran ran;
  try {
    std::erase_if(told_, [&](Told& each) {
      if (each.queued) return false;
      Client now = each.client ? client(each.client) : Client::kNone;
      bool runs = now == Client::kRunsNow;  // or its EXEC, which may have come to it
      if (!runs && waits(each, now)) return false;
      ran.any = true;
      ran.closes_all |= each.closes && each.user.empty();
      if (each.closes) ran.closes.push_back(each.user);
      if (runs) return false;
      if (each.user.empty())
        all_ = true;
      else
        read(each.user);
      return true;
    });
  } catch (...) {  // out of memory; of what was moved meanwhile the user may be lost
    all_ = true;
    ran.any = ran.closes_all = true;
  }
  return ran;
}

bool AclChanges::awaits() const {
  return std::ranges::any_of(told_, [](const Told& each) { return !each.queued; });
}

void AclChanges::read(std::string_view user) {
  if (std::ranges::find(users_, user) != users_.end()) return;
  if (users_.size() < kMostUsers) {
    users_.emplace_back(user);
    return;
  }
  users_.clear();
  all_ = true;
}

}  // namespace tenants
