#include "module/accounting/call_stack.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

// The stack grows downwards.
constexpr std::uintptr_t kTick = 900, kTop = 800, kCall = 700, kYield = 600, kInner = 500;

TEST(CallStack, knows_of_no_command_at_first) {
  CallStack stack;
  EXPECT_FALSE(stack.is_within_command());
  stack.reach(kInner);
  EXPECT_FALSE(stack.is_within_command());
}

TEST(CallStack, whatever_is_reached_below_a_command_that_may_hold_is_within_it) {
  CallStack stack;
  stack.reach(kTop);
  stack.may_hold();
  EXPECT_TRUE(stack.is_within_command()) << "also for who asks at the command itself";
  for (std::uintptr_t place : {kCall, kInner, kYield}) {
    stack.reach(place);
    EXPECT_TRUE(stack.is_within_command());
  }
}

TEST(CallStack, it_has_ended_once_something_is_reached_as_high_or_higher) {
  for (std::uintptr_t place : {kTop, kTick}) {
    CallStack stack;
    stack.reach(kTop);
    stack.may_hold();
    stack.reach(kCall);
    stack.reach(place);
    EXPECT_FALSE(stack.is_within_command());
  }
}

TEST(CallStack, of_commands_within_each_other_the_outermost_counts) {
  CallStack stack;
  stack.reach(kTop);
  stack.may_hold();
  stack.reach(kCall);
  stack.may_hold();
  stack.reach(kYield);
  stack.reach(kCall);  // the inner one has ended
  EXPECT_TRUE(stack.is_within_command());
  stack.reach(kTop);
  EXPECT_FALSE(stack.is_within_command());
}

TEST(CallStack, a_call_that_nobody_s_command_makes_holds_until_the_tick) {
  CallStack stack;
  stack.reach(kCall);  // from a timer
  stack.may_hold();
  stack.reach(kInner);
  EXPECT_TRUE(stack.is_within_command());
  stack.reach(kTick);
  EXPECT_FALSE(stack.is_within_command());
}

TEST(CallStack, what_a_script_calls_next_is_its_own_again) {
  CallStack stack;
  stack.reach(kTop);
  stack.begin_script();
  stack.reach(kCall);
  stack.begin_script_call();
  EXPECT_TRUE(stack.is_within_script_call());
  stack.reach(kInner);
  EXPECT_TRUE(stack.is_within_script_call());
  stack.reach(kCall);
  EXPECT_FALSE(stack.is_within_script_call());
  stack.begin_script_call();
  stack.begin_script();
  EXPECT_FALSE(stack.is_within_script_call());
}

}  // namespace
}  // namespace tenants
