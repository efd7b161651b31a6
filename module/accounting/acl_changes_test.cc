#include "module/accounting/acl_changes.h"

#include <gtest/gtest.h>

#include <map>

#include "module/accounting/users.h"

namespace tenants {
namespace {

using Standing = AclChanges::Client;
using Names = std::vector<std::string>;

// With what is read at the start behind it.
AclChanges settled() {
  AclChanges changes;
  EXPECT_TRUE(changes.has_users()) << "all are to be read at the start";
  changes.all_are_read();
  return changes;
}

AclChanges::Ran all_are(AclChanges& changes, Standing standing) {
  return changes.settle([&](std::uint64_t) { return standing; });
}

TEST(AclChanges, what_has_run_is_read_once) {
  AclChanges changes = settled();
  changes.tell(7, "app1", false, false);
  changes.tell(7, "app1", false, false);
  changes.tell(8, "app1", false, false);
  EXPECT_TRUE(changes.awaits());
  EXPECT_FALSE(changes.has_users());
  EXPECT_TRUE(all_are(changes, Standing::kFree).any);
  EXPECT_EQ(changes.users(), Names{"app1"});
  EXPECT_FALSE(changes.any_told());
  EXPECT_FALSE(all_are(changes, Standing::kFree).any);
  changes.was_read("app1");
  EXPECT_FALSE(changes.has_users());
}

TEST(AclChanges, a_change_that_waits_is_read_when_its_client_has_been_free_for_two_ticks) {
  AclChanges changes = settled();
  changes.tell(7, "app1", false, false);
  EXPECT_FALSE(all_are(changes, Standing::kBlocked).any);
  changes.tick();
  EXPECT_FALSE(all_are(changes, Standing::kFree).any) << "it is about to run";
  EXPECT_TRUE(changes.awaits());
  changes.tick();
  EXPECT_TRUE(all_are(changes, Standing::kFree).any);
  EXPECT_EQ(changes.users(), Names{"app1"});
}

TEST(AclChanges, while_a_command_of_the_client_runs_more_may_come) {
  AclChanges changes = settled();
  changes.tell(7, "app1", false, true);
  AclChanges::Ran ran = all_are(changes, Standing::kRunsNow);
  EXPECT_TRUE(ran.any);
  EXPECT_EQ(ran.closes, Names{"app1"});
  EXPECT_FALSE(changes.has_users()) << "it is read when it has run to its end";
  all_are(changes, Standing::kFree);
  EXPECT_EQ(changes.users(), Names{"app1"});
}

TEST(AclChanges, a_rejected_one_did_not_run_and_those_of_others_did) {
  AclChanges changes = settled();
  changes.tell(7, "app1", false, false);
  changes.tell(7, "app2", true, false);
  changes.tell(8, "app3", false, false);
  changes.rejected(7);
  all_are(changes, Standing::kFree);
  EXPECT_EQ(changes.users(), Names{"app3"});
  EXPECT_TRUE(changes.any_told()) << "what is queued was not refused";
}

TEST(AclChanges, a_rejected_one_takes_none_of_those_before_with_it) {
  AclChanges changes = settled();
  changes.begins(7);
  changes.tell(7, "app1", false, false);
  all_are(changes, Standing::kBlocked);
  changes.tick();
  all_are(changes, Standing::kFree);  // it has run, and nobody knows yet
  changes.begins(7);
  changes.tell(7, "app2", false, false);
  changes.rejected(7);
  all_are(changes, Standing::kFree);
  EXPECT_EQ(changes.users(), Names{"app1"});
}

TEST(AclChanges, a_queued_one_waits_for_exec_and_goes_with_its_transaction) {
  AclChanges changes = settled();
  changes.tell(7, "app1", true, false);
  changes.tell(8, "app2", true, false);
  changes.tell(9, "app3", true, false);
  EXPECT_FALSE(changes.awaits());
  EXPECT_FALSE(all_are(changes, Standing::kNone).any);
  changes.forget(7);
  changes.gone(9, false);
  changes.exec_runs(8);
  EXPECT_TRUE(changes.awaits());
  EXPECT_TRUE(all_are(changes, Standing::kFree).any);
  EXPECT_EQ(changes.users(), Names{"app2"});
  EXPECT_FALSE(changes.any_told());
}

TEST(AclChanges, a_client_that_left_has_run_what_it_sent_unless_that_waited) {
  AclChanges changes = settled();
  changes.tell(7, "app1", false, false);
  changes.tell(8, "app2", false, false);
  changes.gone(7, false);
  changes.gone(8, true);
  EXPECT_TRUE(all_are(changes, Standing::kBlocked).any) << "nobody of that number is asked for";
  EXPECT_EQ(changes.users(), Names{"app1"});
}

TEST(AclChanges, of_all_users_that_go_all_connections_may_be_closed) {
  AclChanges changes = settled();
  changes.tell(7, "", false, true);
  changes.tell(8, std::string(UserTable::kLongestName + 1, 'x'), false, false);
  AclChanges::Ran ran = all_are(changes, Standing::kFree);
  EXPECT_TRUE(ran.closes_all);
  EXPECT_TRUE(changes.has_users());
  EXPECT_EQ(changes.users(), Names()) << "all are read, and a name that is too long is not kept";
}

TEST(AclChanges, a_later_one_of_the_same_user_that_closes_is_told_with_the_first) {
  AclChanges changes = settled();
  changes.tell(7, "app1", false, false);
  changes.tell(7, "app1", false, true);
  EXPECT_EQ(all_are(changes, Standing::kFree).closes, Names{"app1"});
}

TEST(AclChanges, where_there_are_too_many_all_are_read) {
  AclChanges changes = settled();
  for (std::size_t i = 0; i < AclChanges::kMostTold; ++i) changes.tell(7, std::to_string(i), true, false);
  changes.tell(7, "one more", true, false);
  EXPECT_FALSE(changes.has_users()) << "it has not run";
  changes.exec_runs(8);
  EXPECT_FALSE(changes.has_users()) << "nor did that of another client";
  changes.exec_runs(7);
  EXPECT_TRUE(changes.has_users());
  changes.all_are_read();
  all_are(changes, Standing::kFree);
  EXPECT_EQ(changes.users().size(), AclChanges::kMostUsers);
  changes.read("and one more");
  EXPECT_TRUE(changes.users().empty());
  EXPECT_TRUE(changes.has_users());
}

TEST(AclChanges, the_changes_of_several_clients_that_could_not_be_kept_run_with_any_exec) {
  AclChanges changes = settled();
  for (std::size_t i = 0; i < AclChanges::kMostTold; ++i) changes.tell(7, std::to_string(i), true, false);
  changes.tell(8, "a", true, false);
  changes.tell(9, "b", true, false);
  changes.gone(9, false);
  changes.exec_runs(7);
  EXPECT_TRUE(changes.has_users());
}

// Random histories of three clients, against what each of them did: whatever ran is read, and nothing is read that was
// refused, or never ran.
TEST(AclChanges, whatever_ran_is_read_and_nothing_else) {
  struct Sender {
    Names queued;
    bool blocked = false;
    std::string waiting;  // sent while it is blocked: runs when it is free
  };
  std::uint64_t state = 20261129;
  auto draw = [&](std::uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % below;
  };
  for (int history = 0; history < 20000; ++history) {
    AclChanges changes = settled();
    std::map<std::uint64_t, Sender> senders{{1, {}}, {2, {}}, {3, {}}};
    std::map<std::string, bool> ran;
    int names = 0;
    auto settle = [&] {
      changes.settle([&](std::uint64_t id) {
        auto found = senders.find(id);
        if (found == senders.end()) return Standing::kNone;
        return found->second.blocked ? Standing::kBlocked : Standing::kFree;
      });
    };
    for (int step = 0; step < 12; ++step) {
      std::uint64_t id = 1 + draw(3);
      if (!senders.contains(id)) continue;
      Sender& sender = senders[id];
      std::string name = "user" + std::to_string(++names);
      if (!sender.blocked) changes.begins(id);
      switch (sender.blocked ? 5 + draw(3) : draw(8)) {
        case 0:
          changes.tell(id, name, false, false);
          ran[name] = true;
          settle();
          break;
        case 1:  // refused
          changes.tell(id, name, false, false);
          changes.rejected(id);
          break;
        case 2:
          changes.tell(id, name, true, false);
          sender.queued.push_back(name);
          break;
        case 3:
          changes.exec_runs(id);
          for (const std::string& each : sender.queued) ran[each] = true;
          sender.queued.clear();
          settle();
          break;
        case 4:
          changes.forget(id);
          sender.queued.clear();
          break;
        case 5:
          if (!sender.blocked) {  // CLIENT PAUSE comes before its change
            changes.tell(id, name, false, false);
            sender.waiting = name, sender.blocked = true;
          }
          settle();
          break;
        case 6:  // the pause ends, and it runs
          if (!sender.blocked) break;
          settle();
          sender.blocked = false;
          settle();
          ran[sender.waiting] = true;
          break;
        default:
          changes.gone(id, sender.blocked);
          senders.erase(id);
      }
    }
    for (auto& [id, sender] : senders) {
      if (sender.blocked) changes.gone(id, true);
      sender.blocked = false;
    }
    for (int i = 0; i < 3; ++i) changes.tick(), settle();
    Names expected, read = changes.users();
    for (const auto& [name, _] : ran) expected.push_back(name);
    std::ranges::sort(read);
    EXPECT_EQ(read, expected) << "history " << history;
    EXPECT_FALSE(changes.awaits());
  }
}

}  // namespace
}  // namespace tenants
