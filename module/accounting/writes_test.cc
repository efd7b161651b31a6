#include "module/accounting/writes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "module/accounting/glob.h"

namespace tenants {
namespace {

using Keys = std::vector<WriteCommand::Key>;

std::vector<WriteCommand> some_commands() {
  return {{"set", " @all set @write @string @slow ", "set x x", Keys{{1, false, true}}},
          {"lpop", " @all lpop @write @list @fast ", "lpop x", Keys{{1, true, true}}},
          {"copy", " @all copy @write @keyspace ", "copy x x", Keys{{1, true, false}, {2, false, true}}},
          {"bitop", " @all bitop @write @bitmap ", "bitop x x x", Keys{{2, false, true}, {3, true, false}}},
          {"lmpop", " @all lmpop @write @list @slow ", "lmpop 1 x x", Keys{{2, true, true}}},
          {"xgroup|create", " @all xgroup @slow xgroup|create @write @stream ", "xgroup create x x x",
           Keys{{2, false, true}}}};
}

TEST(Writes, the_last_rule_that_concerns_a_command_decides) {
  const std::vector<WriteCommand> commands = some_commands();
  auto allowed = [&](std::string_view rules) {
    std::set<std::string> names;
    for (const WriteCommand& command : commands) {
      Allowed by = allowed_by(rules, command);
      if (by.always) names.insert(command.name);
      if (!by.first_argument.empty()) names.insert(command.name + " " + std::string(by.first_argument));
    }
    return names;
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(allowed("+@all").size(), commands.size());
  EXPECT_EQ(allowed("-@all"), Names{});
  EXPECT_EQ(allowed("-@all +@read +ping"), Names{});
  EXPECT_EQ(allowed("-@all +@list -lpop"), Names{"lmpop"});
  EXPECT_EQ(allowed("-@all +lpop +@write -@all +set"), Names{"set"});
  EXPECT_EQ(allowed("-@all +xgroup|create"), Names{"xgroup|create"});
  EXPECT_EQ(allowed("-@all +xgroup -xgroup|create +xgroup|help"), Names{});
  EXPECT_EQ(allowed("-@all +@slow -@string"), (Names{"lmpop", "xgroup|create"}));
  EXPECT_EQ(allowed("-@all +bitop|and +config|get +se +sets +@sl"), Names{"bitop and"});
  EXPECT_EQ(allowed("-@all +bitop|and -bitop"), Names{});
}

TEST(Writes, keys_are_found_by_their_specifications) {
  auto found = [](std::vector<KeySpecification> specifications, std::vector<std::string_view> words) {
    std::string places;
    std::optional<Keys> keys = find_keys(specifications, words);
    if (!keys) return std::string("unknown");
    for (const WriteCommand::Key& key : *keys)
      places.append(std::to_string(key.at)).append(key.reads ? "r" : "").append(key.writes ? "w" : "").append(" ");
    return places;
  };
  KeySpecification first{.index = 1, .ranges = true, .writes = true};
  EXPECT_EQ(found({first}, {"set", "x", "x"}), "1w ");
  EXPECT_EQ(found({{.index = 1, .ranges = true, .last = -1, .step = 2, .writes = true}}, {"mset", "x", "x", "x", "x"}),
            "1w 3w ");
  EXPECT_EQ(found({{.index = 1, .ranges = true, .last = -2, .reads = true}}, {"blpop", "x", "x", "1"}), "1r 2r ");
  KeySpecification numbered{.index = 2, .numbered = true, .first = 1, .reads = true};
  EXPECT_EQ(found({first, numbered}, {"zunionstore", "x", "2", "x", "x"}), "1w 3r 4r ");
  EXPECT_EQ(found({first, numbered}, {"zunionstore", "x", "x", "x"}), "unknown");
  EXPECT_EQ(found({first, numbered}, {"zunionstore", "x", "9", "x"}), "unknown");
  EXPECT_EQ(found({first, numbered}, {"zunionstore", "x", "0", "x"}), "unknown");
  KeySpecification streams{.keyword = "STREAMS", .from = 1, .ranges = true, .last = -1, .limit = 2, .reads = true};
  EXPECT_EQ(found({streams}, {"xread", "STREAMS", "x", "x", "0", "0"}), "2r 3r ");
  EXPECT_EQ(found({streams}, {"xread", "x"}), "");
  KeySpecification backwards{.keyword = "KEYS", .from = -2, .ranges = true, .last = -1, .reads = true};
  EXPECT_EQ(found({backwards}, {"migrate", "x", "KEYS", "x", "x"}), "3r 4r ");
  EXPECT_EQ(found({{.incomplete = true}}, {"sort", "x"}), "unknown");
  EXPECT_EQ(found({{}}, {"sort", "x"}), "unknown");
  EXPECT_EQ(found({{.index = 5, .ranges = true}}, {"sort", "x"}), "unknown");
}

// A server that lets run what some permissions allow, all of it.
class WritesTest : public testing::Test {
 protected:
  void permissions(std::string_view commands, std::string_view patterns, const char* databases = "alldbs") {
    Permissions of{
        .commands = std::string(commands), .databases = databases_of_rule(databases), .first = keys.patterns.size()};
    for (KeyPattern& pattern : patterns_of_keys(patterns)) {
      if (!of.databases.empty()) limit_to_databases(pattern, of.databases);
      keys.patterns.push_back(std::move(pattern));
    }
    of.end = keys.patterns.size();
    keys.permissions.push_back(std::move(of));
  }
  bool may_run(int database, std::span<const std::string_view> words) {
    auto command = std::ranges::find_if(commands, [&](const WriteCommand& each) {
      std::string name = each.name.substr(0, each.name.find('|'));
      return name == words[0];
    });
    return std::ranges::any_of(keys.permissions, [&](const Permissions& of) {
      Allowed allowed = allowed_by(of.commands, *command);
      bool here = of.databases.empty() || std::ranges::count(of.databases, database) > 0;
      if (!here || (!allowed.always && allowed.first_argument != words[1])) return false;
      return std::ranges::all_of(command->keys, [&](const WriteCommand::Key& key) {
        for (std::size_t p = of.first; p < of.end; ++p) {
          const KeyPattern& pattern = keys.patterns[p];
          if ((!key.reads || pattern.reads) && (!key.writes || had[p]) && matches(pattern.glob, words[key.at]))
            return true;
        }
        return false;
      });
    });
  }
  // The patterns that it may write, and in `asked` how many questions that took.
  std::string written() {
    for (const KeyPattern& pattern : keys.patterns) had.push_back(pattern.writes);
    WriteQuestions questions;
    int before = -1;
    auto ask = [&](int database, std::span<const std::string_view> words) {
      ++asked;
      return std::optional(may_run(database, words));
    };
    for (; !questions.go_on(keys, commands, ask); before = asked) EXPECT_LE(asked, std::max(before, 0) + 1);
    std::string names;
    for (const KeyPattern& pattern : keys.patterns)
      if (pattern.writes) names += pattern.name + " ";
    return names;
  }

  std::vector<WriteCommand> commands = some_commands();
  UserKeys keys;
  std::vector<bool> had;
  int asked = 0;
};

TEST_F(WritesTest, who_may_run_all_is_not_asked) {
  permissions("+@all", "~a:* %W~b:* %R~c:*");
  EXPECT_EQ(written(), "a: b: ");
  EXPECT_EQ(asked, 0);
}

TEST_F(WritesTest, who_only_reads_is_not_asked) {
  permissions("-@all +@read +ping", "~a:* %W~b:*");
  EXPECT_EQ(written(), "");
  EXPECT_EQ(asked, 0);
}

TEST_F(WritesTest, one_question_is_enough_for_all_patterns_that_are_alike) {
  permissions("+@all -lpop", "~a:* ~b:* ~c:* ~[]:* ~d?");
  EXPECT_EQ(written(), "a: b: c: d? ");
  EXPECT_EQ(asked, 1);
}

TEST_F(WritesTest, a_selector_that_reads_writes_nothing_however_many_patterns_there_are) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "~a" + std::to_string(i) + ":* ";
  permissions("+@all", many);
  permissions("-@all +get", "~invoices:*");
  EXPECT_EQ(written().find("invoices"), std::string::npos);
  EXPECT_EQ(asked, 0);
}

TEST_F(WritesTest, a_pattern_that_others_have_whole_is_written) {
  permissions("+@all", "~a:*");
  permissions("-@all +get", "~a:b:* ~a* ~b");
  EXPECT_EQ(written(), "a: a:b: ");
}

TEST_F(WritesTest, a_pattern_that_others_have_in_part_is_not) {
  permissions("+@all", "~a*");
  permissions("+@all -@write", "~[a-c]* ~a?");
  EXPECT_EQ(written(), "a a? ");
}

TEST_F(WritesTest, what_needs_the_right_to_read_takes_it_from_another_pattern) {
  permissions("-@all +copy", "%R~from:* %W~to:*");
  EXPECT_EQ(written(), "to: ");
}

TEST_F(WritesTest, what_may_be_written_only_is_not_by_a_command_that_reads_it) {
  permissions("-@all +lpop", "%W~a:* ~b:*");
  EXPECT_EQ(written(), "b: ");
}

TEST_F(WritesTest, a_rule_for_a_first_argument_or_a_subcommand_is_enough) {
  permissions("-@all +bitop|and", "~a:*");
  permissions("-@all +xgroup|create", "~b:*");
  permissions("-@all +lmpop|1", "~c:*");
  permissions("-@all +lmpop|0 +set|d:1", "~d:*");
  EXPECT_EQ(written(), "a: b: c: ");
}

TEST_F(WritesTest, databases_count) {
  permissions("+@all -lpop", "~a:*", "db=0,1");
  permissions("-@all +get", "~a:b:*", "db=1");
  permissions("-@all +get", "~a:c:*", "db=1,2");
  permissions("-@all +get", "~a:d:*");
  EXPECT_EQ(written(), "db=0-1 ~a:* db=1 ~a:b:* ");
}

TEST_F(WritesTest, where_the_server_says_nothing_the_rules_count) {
  permissions("-@all +set", "~a:*");
  permissions("-@all +get", "~b:*");
  WriteQuestions questions;
  auto silent = [](int, std::span<const std::string_view>) { return std::optional<bool>(); };
  while (!questions.go_on(keys, commands, silent)) continue;
  EXPECT_TRUE(keys.patterns[0].writes);
  EXPECT_FALSE(keys.patterns[1].writes);
}

}  // namespace
}  // namespace tenants
