#include "module/accounting/attribution.h"

#include <gtest/gtest.h>

#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace tenants {
namespace {

enum class Generation { kRedis, k8, k90, k91 };
constexpr Generation kGenerations[] = {Generation::kRedis, Generation::k8, Generation::k90, Generation::k91};

// Users, by their rows. `kNoMulti` is not allowed MULTI.
constexpr std::uint32_t kDefault = UserTable::kFirst, kApp1 = kDefault + 1, kApp2 = kApp1 + 1, kNoMulti = kApp2 + 1;
constexpr std::uint32_t kEnd = kNoMulti + 1;

struct Op {
  std::string name;            // of the command; "nosuch": the server has none
  int arguments = 1;           // with the name
  std::uint32_t user = kApp1;  // whom AUTH, HELLO and LOGINS.AS name
  bool granted = true;         // the password is right
  bool denied = false;         // by the ACL
};

// A server that does what Valkey does, as simply as can be, and the module's hooks around an Attribution. What the
// server runs is what must be counted.
class World {
 public:
  static constexpr std::size_t kConnections = 3;

  World(Generation generation, bool lets_in)
      : users_(8),
        tells_{.refusals = generation == Generation::k91, .logins = generation >= Generation::k90},
        attribution_(users_, commands_, tells_),
        lets_in_(lets_in) {
    for (const char* name : {"default", "app1", "app2", "nomulti"}) users_.add(name);
    struct Known {
      const char* name;
      Kind kind;
      int arity;
      std::uint32_t more = 0;
    };
    const std::uint32_t not_in_multi = generation == Generation::kRedis ? 0u : CommandEntry::kNoMulti;
    constexpr std::uint32_t kModules = CommandEntry::kIdentity | CommandEntry::kOtherDatabase | CommandEntry::kOfModule;
    for (auto [name, kind, arity, more] : {Known{"get", Kind::kRead, 2},
                                           {"set", Kind::kWrite, -3},
                                           {"move", Kind::kWrite, 3},
                                           {"ping", Kind::kOther, -1},
                                           {"multi", Kind::kOther, 1, not_in_multi},
                                           {"exec", Kind::kOther, 1},
                                           {"discard", Kind::kOther, 1},
                                           {"watch", Kind::kOther, -2, not_in_multi | CommandEntry::kNoScript},
                                           {"unwatch", Kind::kOther, 1},
                                           {"reset", Kind::kOther, 1, CommandEntry::kNoAuth},
                                           {"auth", Kind::kOther, -2, CommandEntry::kNoAuth},
                                           {"hello", Kind::kOther, -1, CommandEntry::kNoAuth},
                                           {"eval", Kind::kScript, -3},
                                           {"save", Kind::kAdmin, 1, CommandEntry::kNoMulti},
                                           {"logins.as", Kind::kOther, 2, kModules},
                                           {"logins.run", Kind::kOther, 2, kModules}})
      commands_.add(name, kind, arity, special_of(name) | more);
    for (Connection& connection : connections_) open(connection);
  }

  void send(std::size_t who, const Op& op) {
    Connection& connection = connections_[who];
    settle(true);
    Client& client = *clients_.find(connection.id);
    const CommandEntry* command = commands_.find(op.name);
    Attribution::Sent sent{.command = command, .arguments = op.arguments};
    sent.lets_in = lets_in_;
    if (attribution_.may_be_refused(client)) {
      sent.multi_refused = !connection.in_multi;
      if (connection.in_multi) client.set(Client::kMayMulti);
    }
    last_ = &client;
    may_call_ = false;
    unsigned effects = attribution_.sent(client, sent);
    perform(client, effects);
    attribution_.count(client, effects);

    std::uint32_t special = command ? command->special : 0;
    bool not_allowed = op.denied || (op.name == "multi" && connection.user == kNoMulti);
    bool wrong =
        !command || !command->accepts(op.arguments) || (connection.in_multi && special & CommandEntry::kNoMulti);
    if (wrong || not_allowed || (!connection.logged_in && !(special & CommandEntry::kNoAuth))) {
      if (op.name == "exec")
        end_transaction(connection);
      else if (connection.in_multi)
        connection.must_fail = true;
      if (tells_.refusals)
        perform(client, attribution_.refused(client));
      else if (!wrong && connection.logged_in)
        ++truth_[connection.user][op.name];  // accuracy.md: nobody tells of it
    } else if (connection.in_multi && (op.name == "multi" || op.name == "watch")) {
      ++truth_[connection.user][op.name];  // Redis: it runs, and fails
    } else if (connection.in_multi && !(special & CommandEntry::kNotQueued)) {
      connection.queue.push_back(op);
    } else {
      run(connection, op);
    }
    ASSERT_TRUE(Attribution::is_legal(client));
  }

  void reconnect(std::size_t who) {
    Connection& connection = connections_[who];
    if (watched_ == connection.id) settle_watched();
    Client& client = *clients_.find(connection.id);
    attribution_.user_is(client, connection.user);
    attribution_.count_rest(client, true);
    attribution_.gone(client);
    users_[client.user].disconnected();
    std::erase(pending_, connection.id);
    if (last_ == &client) last_ = nullptr;
    clients_.erase(connection.id);
    open(connection);
  }

  // What is wrong, if anything: each number that is not what the server has run.
  std::string wrong() {
    settle(true);
    std::ostringstream text;
    for (std::uint32_t row = 0; row < kEnd; ++row) {
      std::map<std::string, std::uint64_t> counted;
      for (std::size_t number = 0; number < users_[row].numbers; ++number)
        if (std::uint64_t times = users_[row].by_number[number])
          counted[commands_.counted(static_cast<std::uint16_t>(number)).name] = times;
      if (counted == truth_[row]) continue;
      text << users_[row].name << ": counted";
      for (auto& [name, times] : counted) text << ' ' << name << '=' << times;
      text << ", ran";
      for (auto& [name, times] : truth_[row]) text << ' ' << name << '=' << times;
      text << '\n';
    }
    std::array<std::uint64_t, kEnd> open{};
    for (const Connection& connection : connections_) ++open[connection.user];
    for (std::uint32_t row = 0; row < kEnd; ++row)
      if (open[row] != users_[row].connections)
        text << users_[row].name << ": " << users_[row].connections << " open\n";
    return text.str();
  }

  const User& user(std::uint32_t row) const { return users_[row]; }
  bool tells_refusals() const { return tells_.refusals; }
  bool tells_logins() const { return tells_.logins; }
  // Is there a login in its open transaction?
  bool has_queued_login(std::size_t who) const {
    for (const Op& op : connections_[who].queue)
      if (op.name == "auth" || op.name == "hello") return connections_[who].in_multi;
    return false;
  }
  bool in_multi(std::size_t who) const { return connections_[who].in_multi; }
  bool logged_in(std::size_t who) const { return connections_[who].logged_in; }

 private:
  struct Connection {
    std::uint64_t id;
    std::uint32_t user;
    bool logged_in, in_multi, must_fail, watches, key_changed;
    std::vector<Op> queue;
  };

  // The server

  void open(Connection& connection) {
    connection = {++ids_, kDefault, lets_in_, false, false, false, false, {}};
    Client& client = clients_.insert(connection.id);
    client.user = kDefault;
    users_[kDefault].connected();
    if (!tells_.refusals && !lets_in_) client.set(Client::kAnonymous);
  }

  static void end_transaction(Connection& connection) {
    connection.in_multi = connection.must_fail = connection.watches = connection.key_changed = false;
    connection.queue.clear();
  }

  void call(const Connection& connection, const char* name, bool in_script) {
    settle(false);
    attribution_.called(*commands_.find(name), in_script, may_call_ ? last_ : nullptr, UserTable::kInternal);
    ++truth_[connection.user][name];
  }

  void run(Connection& connection, const Op& op) {
    const std::string& name = op.name;
    ++truth_[connection.user][name];
    if (name == "set")
      for (Connection& other : connections_) other.key_changed |= other.watches;
    if (name == "multi") connection.in_multi = true, connection.must_fail = false, connection.queue.clear();
    if (name == "watch") connection.watches = true;
    if (name == "unwatch") connection.watches = connection.key_changed = false;
    if ((name == "exec" || name == "discard") && connection.in_multi) {
      std::vector<Op> queue = std::move(connection.queue);
      bool runs = name == "exec" && !connection.must_fail && !connection.key_changed;
      end_transaction(connection);
      if (runs)
        for (const Op& queued : queue) run(connection, queued);
      if (watched_ == connection.id) watched_ran_ = runs;
    }
    if (name == "reset") {
      end_transaction(connection);
      connection.user = kDefault;
      connection.logged_in = lets_in_;
    }
    if (name == "eval")
      for (const char* inner : {"get", "ping", "get"}) call(connection, inner, true);
    if (name == "logins.run") call(connection, "set", false);
    if (name == "logins.as") connection.user = op.user, connection.logged_in = true;
    if (name == "auth" || (name == "hello" && op.arguments >= 5)) {
      if (op.granted) connection.user = op.user, connection.logged_in = true;
      if (tells_.logins) attempted(connection, op.granted);
    }
  }

  // The hooks

  void perform(Client& client, unsigned effects) {
    if (effects & Attribution::kLogsOut && !tells_.refusals && !lets_in_) client.set(Client::kAnonymous);
    if (effects & Attribution::kAskUser) pending_.push_back(client.id);
    if (effects & Attribution::kAskIfRan) watched_ = client.id, watched_ran_ = false;
    may_call_ |= static_cast<bool>(effects & Attribution::kMayCall);
  }

  void attempted(const Connection& connection, bool granted) {
    Client& client = *clients_.find(connection.id);
    attribution_.login(client, granted);
    pending_.push_back(client.id);
    if (client.uncounted >= client.queued.end()) return;
    attribution_.user_is(client, connection.user);
    attribution_.count_rest(client, false);
  }

  void settle_watched() {
    Client* client = clients_.find(watched_);
    if (client && client->is(Client::kRanQueued) && !watched_ran_) attribution_.queued_never_ran(*client);
    watched_ = 0;
  }

  void settle(bool done) {
    if (done && watched_) settle_watched();
    for (std::uint64_t id : pending_)
      for (const Connection& connection : connections_) {
        if (connection.id != id) continue;
        Client& client = *clients_.find(id);
        if (attribution_.user_is(client, connection.user) && connection.user != kDefault)
          client.clear(Client::kAnonymous);
        if (done) attribution_.count_rest(client, true);
      }
    if (done) pending_.clear();
  }

  UserTable users_;
  CommandTable commands_;
  ServerTells tells_;
  Attribution attribution_;
  ClientTable clients_;
  bool lets_in_;
  std::array<Connection, kConnections> connections_{};
  std::array<std::map<std::string, std::uint64_t>, kEnd> truth_;
  std::uint64_t ids_ = 0, watched_ = 0;
  bool watched_ran_ = false, may_call_ = false;
  Client* last_ = nullptr;
  std::vector<std::uint64_t> pending_;
};

// "SET GET" by app1: how many commands, reads and writes count for whom?
struct Counted {
  std::uint64_t commands, reads, writes;
  bool operator==(const Counted&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Counted& counted) {
  return out << counted.commands << " commands, " << counted.reads << " reads, " << counted.writes << " writes";
}

Counted counted_for(const World& world, std::uint32_t row) {
  const auto& kinds = world.user(row).commands;
  return {world.user(row).commands_total(), kinds[static_cast<std::size_t>(Kind::kRead)],
          kinds[static_cast<std::size_t>(Kind::kWrite)]};
}

int arguments_of(const std::string& name) {
  static const std::map<std::string, int> kMore{{"get", 2},  {"set", 3},  {"move", 3},      {"watch", 2},
                                                {"auth", 3}, {"eval", 3}, {"logins.as", 2}, {"logins.run", 2}};
  auto found = kMore.find(name);
  return found == kMore.end() ? 1 : found->second;
}

// As tests/integration/test_commands.py has it of real servers. "-get": the ACL denies it; "get/3": so many arguments;
// "auth:app2", "auth!app2": with the right password, and with a wrong one.
TEST(Attribution, what_a_client_sends_counts_as_the_server_runs_it) {
  struct Case {
    const char* sent;
    Counted app1, app2{}, app1_before_91{~0ull, 0, 0}, app1_on_redis{~0ull, 0, 0};
  };
  const Case cases[] = {
      {"get set", {2, 1, 1}},
      {"nosuch get/1 get/3", {0, 0, 0}},
      {"-get -set", {0, 0, 0}, {}, {2, 1, 1}},
      {"multi set get exec", {4, 1, 1}},
      {"multi set get discard", {2, 0, 0}},
      {"multi set reset", {2, 0, 0}},
      {"multi set nosuch exec", {2, 0, 0}},
      {"multi set -set exec", {2, 0, 0}, {}, {4, 0, 2}},
      {"multi multi set exec", {2, 0, 0}, {}, {~0ull, 0, 0}, {4, 0, 1}},
      {"multi set watch exec", {2, 0, 0}, {}, {~0ull, 0, 0}, {4, 0, 1}},
      {"multi set save exec", {2, 0, 0}},
      {"exec discard", {2, 0, 0}},
      {"multi exec get", {3, 1, 0}},
      {"eval", {4, 2, 0}},
      {"multi eval exec", {6, 2, 0}},
      {"logins.run get", {3, 1, 1}},
      {"auth!app2 get", {2, 1, 0}},
      {"auth:app2 get", {1, 0, 0}, {1, 1, 0}},
      {"hello get", {2, 1, 0}},
      {"reset get", {1, 0, 0}},
      {"multi set auth:app2 get exec get", {4, 0, 1}, {2, 2, 0}},
      {"multi set auth:app2 eval exec", {4, 0, 1}, {4, 2, 0}},
      {"multi set auth!app2 get exec get", {6, 2, 1}},
      {"multi get auth:app2 set discard get", {3, 1, 0}},
      {"logins.as:app2 get", {1, 0, 0}, {1, 1, 0}},
      {"watch multi get exec", {4, 1, 0}},
      {"watch set multi get exec", {4, 0, 1}},
      {"watch set unwatch multi get exec", {6, 1, 1}},
      {"watch discard set multi get exec", {5, 0, 1}},
      {"watch exec set multi get exec", {5, 0, 1}},
      {"watch set multi get exec multi get exec", {7, 1, 1}},
  };
  for (Generation generation : kGenerations)
    for (const Case& one : cases) {
      World world(generation, true);
      world.send(0, {"auth", 3, kApp1});
      std::istringstream words(one.sent);
      for (std::string word; words >> word;) {
        Op op;
        op.denied = word.front() == '-';
        if (op.denied) word.erase(0, 1);
        if (std::size_t at = word.find_first_of(":!"); at != std::string::npos) {
          op.granted = word[at] == ':';
          op.user = kApp2;
          word.erase(at);
        }
        std::size_t slash = word.find('/');
        op.name = word.substr(0, slash);
        op.arguments = slash == std::string::npos ? arguments_of(op.name) : std::stoi(word.substr(slash + 1));
        world.send(0, op);
      }
      if (world.tells_refusals() || one.app1_before_91.commands == ~0ull) {
        EXPECT_EQ(world.wrong(), "") << one.sent;
      }
      Counted expected = one.app1;
      if (!world.tells_refusals() && one.app1_before_91.commands != ~0ull) expected = one.app1_before_91;
      if (generation == Generation::kRedis && one.app1_on_redis.commands != ~0ull) expected = one.app1_on_redis;
      EXPECT_EQ(counted_for(world, kApp1), expected) << one.sent;
      EXPECT_EQ(counted_for(world, kApp2), one.app2) << one.sent;
    }
}

struct Bare {
  UserTable users{8};
  CommandTable commands;
  Attribution attribution{users, commands, {.refusals = true, .logins = true}};
  Client client;

  Bare() {
    client.id = 1;
    client.user = users.add("app1");
    for (const char* name : {"unwatch", "eval", "ping", "multi", "exec"})
      commands.add(name, Kind::kOther, -1, special_of(name));
    commands.add("watch", Kind::kOther, -1, special_of("watch") | CommandEntry::kNoScript);
  }
  unsigned send(const char* name) {
    unsigned effects = attribution.sent(client, {.command = commands.find(name), .arguments = 1});
    attribution.count(client, effects);
    return effects;
  }
  std::uint64_t counted(std::uint32_t row) const { return users[row].commands_total(); }
};

TEST(Attribution, the_server_is_asked_whether_exec_ran_only_where_a_key_is_watched) {
  Bare bare;
  for (auto [name, asks] : std::initializer_list<std::pair<const char*, bool>>{{"multi", false},
                                                                               {"exec", false},
                                                                               {"watch", false},
                                                                               {"multi", false},
                                                                               {"exec", true},
                                                                               {"multi", false},
                                                                               {"exec", false},
                                                                               {"watch", false},
                                                                               {"unwatch", false},
                                                                               {"multi", false},
                                                                               {"exec", false}})
    EXPECT_EQ(static_cast<bool>(bare.send(name) & Attribution::kAskIfRan), asks) << name;
}

TEST(Attribution, a_multi_that_is_refused_after_it_has_waited_begins_no_transaction) {
  Bare bare;
  Client other;
  bare.send("watch");
  bare.send("multi");
  bare.attribution.sent(other, {.command = bare.commands.find("multi"), .arguments = 1});
  bare.attribution.refused(bare.client);
  EXPECT_FALSE(bare.client.is(Client::kInMulti));
  EXPECT_TRUE(bare.client.is(Client::kWatching));
  EXPECT_EQ(bare.counted(bare.client.user), 1u);
  EXPECT_TRUE(other.is(Client::kInMulti));
}

TEST(Attribution, what_a_script_calls_is_its_clients_and_its_users_once_the_client_is_gone) {
  Bare bare;
  std::uint32_t app1 = bare.client.user, app2 = bare.users.add("app2");
  EXPECT_TRUE(bare.send("eval") & Attribution::kBeginsScript);
  const CommandEntry& ping = *bare.commands.find("ping");
  bare.attribution.called(ping, true, nullptr, UserTable::kInternal);
  EXPECT_EQ(bare.counted(app1), 2u);
  bare.attribution.called(*bare.commands.find("watch"), true, nullptr, UserTable::kInternal);
  EXPECT_EQ(bare.counted(app1), 2u) << "a script can not run it";
  bare.attribution.gone(bare.client);
  bare.client.user = app2;  // another one has its place
  bare.attribution.called(ping, true, nullptr, UserTable::kInternal);
  EXPECT_EQ(bare.counted(app1), 3u);
  bare.attribution.give_up_row(app1);
  bare.attribution.called(ping, true, nullptr, UserTable::kInternal);
  EXPECT_EQ(bare.counted(app1), 3u);
  EXPECT_EQ(bare.counted(UserTable::kOther), 1u);
}

TEST(Attribution, what_a_script_calls_that_a_module_has_called_is_whose_command_runs) {
  Bare bare;
  std::uint32_t app1 = bare.client.user;
  const CommandEntry &ping = *bare.commands.find("ping"), &eval = *bare.commands.find("eval");
  bare.attribution.called(eval, false, &bare.client, UserTable::kInternal);
  bare.attribution.called(ping, true, nullptr, UserTable::kInternal);
  EXPECT_EQ(bare.counted(app1), 2u);
  EXPECT_TRUE(bare.attribution.script().by_module);
  bare.attribution.called(eval, false, nullptr, UserTable::kInternal);
  bare.attribution.called(ping, true, nullptr, UserTable::kInternal);
  EXPECT_EQ(bare.counted(app1), 2u);
  EXPECT_EQ(bare.counted(UserTable::kInternal), 2u);
}

// What accuracy.md says that nobody can know is left out: before 9.1, refusals but that of MULTI; before 9.0, a second
// login in one transaction and one that fails before the client has logged in; a module's login in a transaction.
Op random_op(std::mt19937& random, const World& world, std::size_t who) {
  static constexpr const char* kNames[] = {"get",   "set",       "set",        "move",    "ping",    "multi",
                                           "multi", "exec",      "exec",       "exec",    "auth",    "auth",
                                           "hello", "watch",     "watch",      "unwatch", "discard", "eval",
                                           "save",  "logins.as", "logins.run", "reset",   "nosuch",  "get"};
  Op op{kNames[random() % std::size(kNames)]};
  op.arguments = arguments_of(op.name);
  op.user = kDefault + random() % (kEnd - kDefault);
  op.granted = random() % 4 > 0;
  op.denied = world.tells_refusals() && random() % 12 == 0;
  if (random() % 24 == 0) op.arguments = 1 + static_cast<int>(random() % 4);
  if (op.name == "hello" && random() % 2) op.arguments = 5;
  bool logs_in = op.name == "auth" || op.name == "hello";
  if (!world.tells_logins() && logs_in && (world.has_queued_login(who) || !world.logged_in(who))) op.granted = true;
  if (!world.tells_logins() && logs_in && world.has_queued_login(who)) op = {"ping"};
  if (op.name == "logins.as" && world.in_multi(who)) op = {"ping"};
  return op;
}

TEST(Attribution, a_million_histories_count_what_the_server_has_run) {
  unsigned seed = std::random_device{}();
  constexpr int kHistories = 1'000'000, kOfAWorld = 50;
  std::mt19937 random(seed);
  for (int history = 0; history < kHistories; history += kOfAWorld) {
    World world(kGenerations[random() % std::size(kGenerations)], random() % 2);
    std::ostringstream told;
    for (int each = 0; each < kOfAWorld; ++each) {
      for (std::size_t steps = 1 + random() % 12; steps > 0; --steps) {
        std::size_t who = random() % World::kConnections;
        if (random() % 40 == 0) {
          world.reconnect(who);
          told << who << " reconnects\n";
          continue;
        }
        Op op = random_op(random, world, who);
        told << who << ' ' << op.name << '/' << op.arguments << ' ' << op.user << (op.granted ? "" : " fails")
             << (op.denied ? " denied" : "") << '\n';
        world.send(who, op);
        if (HasFatalFailure()) break;
      }
      ASSERT_EQ(world.wrong(), "") << "seed " << seed << ", after " << history + each << " histories:\n" << told.str();
    }
  }
}

}  // namespace
}  // namespace tenants
