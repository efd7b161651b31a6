// When does a pass over all keys begin, go on, wait, or come to nothing? Knows neither server nor clock: both are told.
//
// A pass is wanted, prepared in slices, then under way until its end; meanwhile it may be paused, or switched off.
#pragma once

#include <cstdint>

namespace tenants {

class PassSchedule {
 public:
  enum class State { kWaiting, kRunning, kPaused, kOff };
  static constexpr int kMostFailures = 5;  // in a row, of passes to count anew; then they rest, each time twice as long

  // At each tick, first. `off`: passes are switched off. `hindered_by`: why the server must be asked nothing now; null:
  // it may be. False: nothing is to be done.
  bool may_work(bool off, const char* hindered_by);
  // Once a second while none is under way: do the numbers of the last one hold?
  bool wants_look(std::uint64_t now_usec);
  // The server has answered what it was asked for a pass, or refused to: then one that is under way is given up, and
  // until it answers there is nothing to do but to look.
  void answered(bool answer);
  // Has the time come for the next pass? `interval_usec` 0: always.
  bool is_due(std::uint64_t now_usec, std::uint64_t interval_usec) const;
  // Another one is wanted: prepare it.
  void want() { preparing_ = true; }
  // One that is due would find what the last one found: that holds as of now.
  void nothing_changed(std::uint64_t now_usec) { began_usec_ = ended_usec_ = now_usec; }
  void begin(std::uint64_t now_usec);
  // `good`: it adds up, else it is to be repeated.
  void end(std::uint64_t now_usec, bool good);
  // It is given up: the next one begins anew.
  void give_up();
  // Nothing is done for it before then.
  void rest_until(std::uint64_t usec) { rests_until_usec_ = usec; }

  State state() const { return state_; }
  const char* paused_by() const { return paused_by_; }  // where it is
  bool under_way() const { return under_way_; }
  bool preparing() const { return preparing_; }
  bool has_work() const { return under_way_ || preparing_; }
  // Then a pass to count anew waits: a second, twice as long after each further one that fails, or until it is due.
  bool fails_too_often(std::uint64_t now_usec) const;
  bool was_answered() const { return answered_; }
  std::uint64_t rests_until_usec() const { return rests_until_usec_; }
  std::uint64_t began_usec() const { return began_usec_; }  // 0: there was none
  std::uint64_t ended_usec() const { return ended_usec_; }  // the last one; as of then its numbers hold

 private:
  State state_ = State::kWaiting;
  const char* paused_by_ = "";
  bool under_way_ = false, preparing_ = false, answered_ = true;
  int failures_ = 0;
  std::uint64_t began_usec_ = 0, ended_usec_ = 0, looked_usec_ = 0, rests_until_usec_ = 0;
};

}  // namespace tenants
