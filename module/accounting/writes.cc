#include "module/accounting/writes.h"

#include <algorithm>
#include <utility>

#include "module/accounting/glob.h"
#include "module/accounting/number.h"
#include "module/accounting/words.h"

namespace tenants {

namespace {

// Where the first key stands; 0: the word is missing.
int first_place(const KeySpecification& keys, std::span<const std::string_view> words) {
  if (keys.index > 0) return keys.index;
  int size = static_cast<int>(words.size());
  int from = keys.from > 0 ? keys.from : size + keys.from;
  for (int at = from; at > 0 && at<size; at += keys.from> 0 ? 1 : -1)
    if (words[static_cast<std::size_t>(at)] == keys.keyword) return at + 1;
  return 0;
}

}  // namespace

std::optional<std::vector<WriteCommand::Key>> find_keys(std::span<const KeySpecification> specifications,
                                                        std::span<const std::string_view> words) {
  std::vector<WriteCommand::Key> found;
  int size = static_cast<int>(words.size());
  for (const KeySpecification& keys : specifications) {
    if (keys.incomplete || (keys.index == 0 && keys.keyword.empty())) return std::nullopt;
    int first = first_place(keys, words), last = 0;
    if (!first) continue;
    if (keys.numbered) {
      int number = first + keys.number;
      if (number >= size) return std::nullopt;
      int count = number_in<int>(words[static_cast<std::size_t>(number)]).value_or(0);
      if (count < 1 || count > size) return std::nullopt;
      first += keys.first;
      last = first + (count - 1) * keys.step;
    } else if (keys.ranges) {
      last = keys.last >= 0   ? first + keys.last
             : keys.limit > 0 ? first + (size - first) / keys.limit - 1
                              : size + keys.last;
    } else {
      return std::nullopt;
    }
    if (first < 1 || last < first || last >= size || keys.step < 1) return std::nullopt;
    for (int at = first; at <= last; at += keys.step)
      found.push_back({static_cast<std::uint32_t>(at), keys.reads, keys.writes});
  }
  return found;
}

Allowed allowed_by(std::string_view rules, const WriteCommand& command) {
  Allowed allowed;
  auto concerns_it = [&](std::string_view word) {
    std::string_view all = command.rules;
    for (std::size_t at = all.find(word); at != std::string_view::npos; at = all.find(word, at + 1))
      if (at > 0 && all[at - 1] == ' ' && all[at + word.size()] == ' ') return true;
    return false;
  };
  while (!rules.empty()) {
    std::string_view word = take_word(rules, ' ');
    if (word.size() < 2) continue;
    std::string_view what = word.substr(1);
    if (concerns_it(what))
      allowed = {word[0] == '+', {}};
    else if (word[0] == '+' && what.starts_with(command.name) && what.substr(command.name.size()).starts_with('|'))
      allowed.first_argument = what.substr(command.name.size() + 1);
  }
  return allowed;
}

namespace {

bool is_digit(std::string_view word) { return word.size() == 1 && word[0] >= '0' && word[0] <= '9'; }

// Some pattern of these that may be written, by what the server has said, has this key.
bool covers(const UserKeys& keys, const Permissions& of, std::string_view key) {
  if (!of.may_write[false] && !of.may_write[true]) return false;
  for (std::size_t p = of.first; p < of.end; ++p) {
    const KeyPattern& pattern = keys.patterns[p];
    if (pattern.writes && of.may_write[pattern.reads] && matches(pattern.glob, key)) return true;
  }
  return false;
}

// In each database in which the permissions `own` hold the key may be written by others.
bool is_covered(const UserKeys& keys, const Permissions& own, std::string_view key) {
  std::vector<int> left = own.databases;
  for (const Permissions& of : keys.permissions) {
    if (!covers(keys, of, key)) continue;
    if (of.databases.empty()) return true;
    std::erase_if(left, [&](int db) { return std::ranges::binary_search(of.databases, db); });
  }
  return left.empty() && !own.databases.empty();
}

}  // namespace

void WriteQuestions::begin_group(const UserKeys& keys) {
  const Permissions& of = keys.permissions[group_ / 2];
  sample_ = reads_ = both_ = kNone;
  for (std::size_t p = of.end; p-- > of.first;) {
    const KeyPattern& pattern = keys.patterns[p];
    if (pattern.writes && pattern.reads == (group_ % 2 == 1)) sample_ = p;
    if (pattern.reads) reads_ = p;
    if (pattern.reads && pattern.writes) both_ = p;
  }
  command_ = 0;
  begun_ = true;
}

// The example with keys of the user; none where it can't be made. Where the pattern may be written only, what the
// command reads is the key of another one: COPY from:1 to:1.
std::vector<std::string_view> WriteQuestions::words_for(const UserKeys& keys, const WriteCommand& command,
                                                        const Allowed& allowed) const {
  std::vector<std::string_view> words = words_in(command.words);
  const KeyPattern& sample = keys.patterns[sample_];
  bool writes_it = false;
  for (const WriteCommand::Key& key : command.keys) {
    std::size_t pattern = sample.reads || !key.reads ? sample_ : key.writes ? both_ : reads_;
    if (pattern == kNone) return {};
    words[key.at] = keys.patterns[pattern].key;
    writes_it |= key.writes && pattern == sample_;
  }
  if (!writes_it) return {};
  if (allowed.always) return words;
  // What stands first would be a key that is not ours to choose, or another number of keys.
  bool is_key = std::ranges::any_of(command.keys, [](const WriteCommand::Key& key) { return key.at == 1; });
  if (is_key || (is_digit(words[1]) && words[1] != allowed.first_argument)) return {};
  words[1] = allowed.first_argument;
  return words;
}

// True: there may be more to be asked.
bool WriteQuestions::ask_on(UserKeys& keys, std::vector<WriteCommand>& commands, const Ask& ask) {
  auto end_group = [&](bool writes) {
    keys.permissions[group_ / 2].may_write[group_ % 2] = writes;
    any_writes_ |= writes;
    ++group_;
    begun_ = false;
  };
  for (; group_ < 2 * keys.permissions.size();) {
    const Permissions& of = keys.permissions[group_ / 2];
    if (!begun_) begin_group(keys);
    if (sample_ == kNone || of.commands == "-@all" || of.commands == "+@all" || command_ >= commands.size()) {
      end_group(sample_ != kNone && of.commands == "+@all");
      continue;
    }
    WriteCommand& command = commands[command_];
    Allowed allowed = allowed_by(of.commands, command);
    if (allowed.always || !allowed.first_argument.empty()) {
      std::vector<std::string_view> words = words_for(keys, command, allowed);
      if (!words.empty() && ask(keys.patterns[sample_].database, words).value_or(true)) {
        std::swap(command, commands.front());
        end_group(true);
        return true;
      }
    }
    ++command_;
    return true;
  }
  return false;
}

bool WriteQuestions::look_on(UserKeys& keys) {
  for (; pattern_ < keys.patterns.size(); ++pattern_, variant_ = 0) {
    KeyPattern& pattern = keys.patterns[pattern_];
    while (pattern_ >= keys.permissions[of_].end) ++of_;
    const Permissions& own = keys.permissions[of_];
    if (!pattern.writes || pattern.name.empty() || own.may_write[pattern.reads]) continue;
    pattern.writes = any_writes_ && is_covered(keys, own, key_of_glob(pattern.glob, variant_).value_or(""));
    if (!any_writes_) continue;
    bool is_last = pattern.covers == Covers::kOne || ++variant_ == kVariants;
    if (!pattern.writes || is_last) ++pattern_, variant_ = 0;
    return true;
  }
  return false;
}

bool WriteQuestions::go_on(UserKeys& keys, std::vector<WriteCommand>& commands, const Ask& ask) {
  return !ask_on(keys, commands, ask) && !look_on(keys);
}

}  // namespace tenants
