#include "module/sweep/schedule.h"

#include <algorithm>

namespace tenants {

namespace {
constexpr std::uint64_t kSecond = 1'000'000;
}

bool PassSchedule::may_work(bool off, const char* hindered_by) {
  if (off) {
    state_ = State::kOff;
  } else if (hindered_by) {
    state_ = State::kPaused;
    paused_by_ = hindered_by;
  } else if (!answered_) {
    state_ = State::kPaused;
    paused_by_ = "refused";
  } else {
    state_ = under_way_ ? State::kRunning : State::kWaiting;
  }
  return !off && !hindered_by;
}

bool PassSchedule::wants_look(std::uint64_t now_usec) {
  if (under_way_ || now_usec - looked_usec_ < kSecond) return false;
  looked_usec_ = now_usec;
  return true;
}

void PassSchedule::answered(bool answer) {
  answered_ = answer;
  if (!answer) under_way_ = false;
}

bool PassSchedule::is_due(std::uint64_t now_usec, std::uint64_t interval_usec) const {
  return !has_work() && (began_usec_ == 0 || now_usec - began_usec_ >= interval_usec);
}

void PassSchedule::begin(std::uint64_t now_usec) {
  state_ = State::kRunning;
  under_way_ = true;
  preparing_ = false;
  began_usec_ = now_usec;
}

void PassSchedule::end(std::uint64_t now_usec, bool good) {
  state_ = State::kWaiting;
  under_way_ = false;
  ended_usec_ = now_usec;
  failures_ = good ? 0 : failures_ + 1;
}

bool PassSchedule::fails_too_often(std::uint64_t now_usec) const {
  constexpr int kMostDoublings = 16;
  int more = failures_ - kMostFailures;
  return more >= 0 && now_usec - ended_usec_ < kSecond << std::min(more, kMostDoublings);
}

void PassSchedule::give_up() { under_way_ = false; }

}  // namespace tenants
