#include "module/accounting/seen_keys.h"

#include <utility>

namespace tenants {

void Measured::add(const Measured& other) {
  seen += other.seen;
  with_ttl += other.with_ttl;
  ttl_msec += other.ttl_msec;
  sample.add(other.sample);
  largest.add(other.largest);
  several |= other.several || database != other.database;
}

const Measured* SeenKeys::seen_in(std::uint64_t pass) const {
  for (const Measured* measured : {newer_.get(), older_.get()})
    if (measured && measured->pass == pass) return measured;
  return nullptr;
}

Measured& SeenKeys::seen_now(std::uint64_t pass, std::uint64_t complete) {
  if (newer_ && newer_->pass == pass) return *newer_;
  if (newer_ && newer_->pass == complete) std::swap(newer_, older_);
  if (!newer_) newer_ = std::make_unique<Measured>();
  *newer_ = {.pass = pass};
  return *newer_;
}

RandomSample& SeenKeys::met_now(std::uint64_t period) {
  if (!met_) met_ = std::make_unique<Met>();
  if (met_->period == period) return met_->now;
  bool follows = met_->period + 1 == period;
  RandomSample last = std::exchange(met_->now, {});
  met_->before = follows ? last : RandomSample();
  met_->period = period;
  return met_->now;
}

std::optional<RandomSample> SeenKeys::met_in(std::uint64_t period, bool alone) const {
  if (!was_met_in(period)) return std::nullopt;
  if (met_->period != period) return alone ? std::nullopt : std::optional(met_->now);  // it is the one before
  RandomSample met = met_->now;
  if (!alone) met.add(met_->before);
  return met;
}

void SeenKeys::take_over(SeenKeys& other) {
  if (other.met_ && met_ && met_->period == other.met_->period) {
    met_->now.add(other.met_->now);
    met_->before.add(other.met_->before);
  } else if (other.met_ && (!met_ || met_->period < other.met_->period)) {
    met_ = std::move(other.met_);
  }
  for (std::unique_ptr<Measured>* theirs : {&other.newer_, &other.older_}) {
    if (!*theirs) continue;
    bool done = false;
    for (std::unique_ptr<Measured>* mine : {&newer_, &older_})
      if (!done && *mine && (*mine)->pass == (*theirs)->pass) (*mine)->add(**theirs), done = true;
    if (!done && (!newer_ || newer_->pass < (*theirs)->pass))
      std::swap(newer_, older_), newer_ = std::move(*theirs);
    else if (!done && (!older_ || older_->pass < (*theirs)->pass))
      older_ = std::move(*theirs);
  }
}

}  // namespace tenants
