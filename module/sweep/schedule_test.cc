#include "module/sweep/schedule.h"

#include <gtest/gtest.h>

#include <string>

namespace tenants {
namespace {

using State = PassSchedule::State;
constexpr std::uint64_t kSecond = 1'000'000, kMinute = 60 * kSecond;

PassSchedule under_way() {
  PassSchedule schedule;
  schedule.want();
  schedule.begin(kSecond);
  return schedule;
}

TEST(PassSchedule, the_first_pass_is_due_at_once_and_the_next_one_an_interval_after_it_began) {
  PassSchedule schedule;
  EXPECT_TRUE(schedule.is_due(5, kMinute));
  EXPECT_FALSE(schedule.has_work());
  schedule.want();
  EXPECT_TRUE(schedule.preparing() && schedule.has_work() && !schedule.under_way());
  EXPECT_FALSE(schedule.is_due(5, kMinute)) << "it is wanted already";
  schedule.begin(10);
  EXPECT_TRUE(schedule.under_way() && !schedule.preparing());
  EXPECT_EQ(schedule.state(), State::kRunning);
  EXPECT_FALSE(schedule.is_due(10 + kMinute, kMinute)) << "one is under way";
  schedule.end(20, true);
  EXPECT_EQ(schedule.state(), State::kWaiting);
  EXPECT_EQ(schedule.ended_usec(), 20u);
  EXPECT_FALSE(schedule.is_due(9 + kMinute, kMinute));
  EXPECT_TRUE(schedule.is_due(10 + kMinute, kMinute));
  EXPECT_TRUE(schedule.is_due(21, 0)) << "without an interval always";
}

TEST(PassSchedule, what_has_not_changed_is_not_looked_at_again_and_holds_as_of_now) {
  PassSchedule schedule = under_way();
  schedule.end(2 * kSecond, true);
  schedule.nothing_changed(5 * kMinute);
  EXPECT_FALSE(schedule.has_work() || schedule.is_due(5 * kMinute + 1, kMinute));
  EXPECT_TRUE(schedule.is_due(6 * kMinute, kMinute));
  EXPECT_EQ(schedule.ended_usec(), 5 * kMinute);
}

TEST(PassSchedule, a_pause_says_why_and_the_pass_goes_on_afterwards) {
  PassSchedule schedule = under_way();
  EXPECT_FALSE(schedule.may_work(false, "monitor"));
  EXPECT_EQ(schedule.state(), State::kPaused);
  EXPECT_EQ(std::string(schedule.paused_by()), "monitor");
  EXPECT_TRUE(schedule.under_way());
  EXPECT_TRUE(schedule.may_work(false, nullptr));
  EXPECT_EQ(schedule.state(), State::kRunning);
  schedule.end(2 * kSecond, true);
  EXPECT_FALSE(schedule.may_work(false, "script"));
  EXPECT_TRUE(schedule.may_work(false, nullptr));
  EXPECT_EQ(schedule.state(), State::kWaiting);
}

TEST(PassSchedule, switched_off_in_its_middle_it_is_given_up_and_begins_anew_when_it_is_due) {
  PassSchedule schedule = under_way();
  schedule.give_up();
  EXPECT_FALSE(schedule.may_work(true, "monitor"));
  EXPECT_EQ(schedule.state(), State::kOff) << "whatever else hinders it";
  EXPECT_FALSE(schedule.under_way());
  EXPECT_EQ(schedule.ended_usec(), 0u) << "none has come to its end";
  EXPECT_TRUE(schedule.may_work(false, nullptr));
  EXPECT_EQ(schedule.state(), State::kWaiting);
  EXPECT_FALSE(schedule.is_due(kSecond + 1, kMinute));
  EXPECT_TRUE(schedule.is_due(kSecond + kMinute, kMinute));
}

TEST(PassSchedule, off_while_it_is_prepared_it_stays_wanted) {
  PassSchedule schedule;
  schedule.want();
  EXPECT_FALSE(schedule.may_work(true, nullptr));
  EXPECT_TRUE(schedule.may_work(false, nullptr));
  EXPECT_TRUE(schedule.preparing());
}

TEST(PassSchedule, a_server_that_refuses_is_asked_once_a_second_until_it_answers) {
  PassSchedule schedule;
  EXPECT_TRUE(schedule.wants_look(kSecond));
  schedule.answered(false);
  EXPECT_TRUE(schedule.may_work(false, nullptr)) << "to look";
  EXPECT_EQ(schedule.state(), State::kPaused);
  EXPECT_EQ(std::string(schedule.paused_by()), "refused");
  EXPECT_FALSE(schedule.was_answered());
  EXPECT_FALSE(schedule.wants_look(2 * kSecond - 1));
  EXPECT_TRUE(schedule.wants_look(2 * kSecond));
  schedule.answered(true);
  EXPECT_TRUE(schedule.was_answered() && schedule.may_work(false, nullptr));
  EXPECT_EQ(schedule.state(), State::kWaiting);
  PassSchedule other = under_way();
  EXPECT_FALSE(other.wants_look(kMinute)) << "the pass itself looks";
  other.answered(false);
  EXPECT_FALSE(other.under_way());
}

TEST(PassSchedule, a_pass_that_fails_is_repeated_five_times_at_once_then_after_longer_and_longer_rests) {
  PassSchedule schedule;
  std::uint64_t now = kSecond;
  for (int pass = 1; pass <= PassSchedule::kMostFailures; ++pass) {
    EXPECT_FALSE(schedule.fails_too_often(now));
    schedule.begin(now);
    schedule.end(now, false);
  }
  for (std::uint64_t rest : {1, 2, 4, 8}) {
    EXPECT_TRUE(schedule.fails_too_often(now + rest * kSecond - 1));
    EXPECT_FALSE(schedule.fails_too_often(now += rest * kSecond)) << "traffic may have calmed down by now";
    schedule.begin(now);
    schedule.end(now, false);
  }
  for (int pass = 0; pass < 100; ++pass) schedule.end(now, false);
  EXPECT_TRUE(schedule.fails_too_often(now + 3600 * kSecond)) << "then it is due anyway";
  schedule.end(now, true);
  EXPECT_FALSE(schedule.fails_too_often(now));
}

}  // namespace
}  // namespace tenants
