// Which of its patterns may a user write? Its rules for commands decide, too, and its selectors; the server has the
// last word (ACL DRYRUN).
//
// The root permissions and each selector stand for themselves, and in each patterns with the same access are alike:
// what may be done to a key of one may be done to the keys of all. So one key of each such group is asked about, with
// those commands of the server's table that its rules allow, until the server says yes: mostly a single question, none
// for who only reads. A pattern of a group that writes nothing is written all the same where those that write have its
// keys
// (~a:* +@all (~a:b:* +get)): of kVariants keys that it matches, as different as can be, each one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "module/accounting/acl.h"

namespace tenants {

// A command by which keys are written.
struct WriteCommand {
  std::string name;  // the server's own: "xgroup|create"
  // The words of rules that concern it, with a space before and after each: " @all xgroup xgroup|create @stream ".
  std::string rules;
  std::string words;  // an example: "xgroup create x x x"
  struct Key {
    std::uint32_t at;  // which word
    bool reads, writes;
  };
  std::vector<Key> keys;  // of the example; one is written at least
};

// Where keys stand among the words of a command, and what it does to them: a key specification, as COMMAND has it.
struct KeySpecification {
  int index = 0;             // the first stands here; 0: behind this word, if it comes at `from` or later:
  std::string_view keyword;  // in upper case; valid as long as the reply
  int from = 0;              // below 0: from the end, backwards
  bool ranges = false;       // up to `last`, from the first on; below 0: from the end
  int last = 0, limit = 0;   // one of `limit` parts of what follows only
  bool numbered = false;     // as many as the word `number` says, the first of them `first`, both from there on
  int number = 0, first = 0;
  int step = 1;
  bool incomplete = false;  // there are more, or what is done depends on other words
  bool reads = false, writes = false;
};

// Nothing where the specifications don't tell.
std::optional<std::vector<WriteCommand::Key>> find_keys(std::span<const KeySpecification> specifications,
                                                        std::span<const std::string_view> words);

// What a rule string, as ACL GETUSER gives it, says of a command. O(words).
struct Allowed {
  bool always = false;
  std::string_view first_argument;  // else with this one only: "and" of +bitop|and; empty: never
};
Allowed allowed_by(std::string_view rules, const WriteCommand& command);

class WriteQuestions {
 public:
  // May the user run these words in this database? Nothing where the server does not say.
  using Ask = std::function<std::optional<bool>(int database, std::span<const std::string_view> words)>;

  // Goes on by one command, or one key: at most one question, else O(words of a rule string) or O(patterns). True at
  // the end: then each pattern's `writes` says whether the user may. What the server says yes to comes to the front of
  // the commands. An exception changes nothing: to be called again.
  bool go_on(UserKeys& keys, std::vector<WriteCommand>& commands, const Ask& ask);

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  bool ask_on(UserKeys& keys, std::vector<WriteCommand>& commands, const Ask& ask);
  bool look_on(UserKeys& keys);
  void begin_group(const UserKeys& keys);
  std::vector<std::string_view> words_for(const UserKeys& keys, const WriteCommand& command,
                                          const Allowed& allowed) const;

  std::size_t group_ = 0;    // of permissions / 2, and whether they may read, too
  bool begun_ = false;       // it is, and these are patterns of it, or of its permissions:
  std::size_t sample_ = 0;   // one of it
  std::size_t reads_ = 0;    // one that may be read
  std::size_t both_ = 0;     // one that may be read and written
  std::size_t command_ = 0;  // the next to be asked about
  bool any_writes_ = false;  // of the groups
  std::size_t of_ = 0, pattern_ = 0;
  int variant_ = 0;
};

}  // namespace tenants
