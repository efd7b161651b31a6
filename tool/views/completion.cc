// `completion`: scripts for shells, made from the options as they are declared; and what they ask for themselves:
// `names`, which is in no help.

#include <CLI/CLI.hpp>
#include <algorithm>

#include "tool/fleet/fleet.h"
#include "tool/snapshot/sum.h"
#include "tool/views/output.h"
#include "tool/views/top_table.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

struct Word {
  std::string text, help;
  std::vector<std::string> values;  // what may follow; empty: anything
  bool takes_value = false;
};

// What may follow an option, where that is always the same.
std::vector<std::string> values_of(const std::string& subcommand, const std::string& option) {
  if (option == "--output" && subcommand == "list") return {"table", "wide", "json", "csv"};
  if (option == "--output" && subcommand == "show") return {"text", "json"};
  std::vector<std::string> names;
  auto add = [&](std::string name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  };
  if (option == "--sort" && subcommand == "list") {
    for (const char* name : {"name", "growth", "memory", "conns", "cpu"}) add(name);
    for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes})
      for (const Column& column : columns(table)) add(column.name);
  }
  if (option == "--sort" && subcommand == "top") {
    for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes})
      for (const TopColumn& column : top_columns(table))
        if (column.show != TopColumn::kError) add(column.header);
  }
  return names;
}

std::vector<Word> words_of(const CLI::App* app) {
  std::vector<Word> words;
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    std::vector<std::string> names;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    std::vector<std::string> values = names.empty() ? names : values_of(app->get_name(), names.front());
    for (const std::string& name : names)
      words.push_back({name, option->get_description(), values, option->get_items_expected_max() > 0});
  }
  return words;
}

std::vector<const CLI::App*> shown_subcommands(const CLI::App& program) {
  std::vector<const CLI::App*> apps = program.get_subcommands({});
  std::erase_if(apps, [](const CLI::App* app) { return app->get_group().empty(); });
  return apps;
}

// Positional words that are always the same.
std::vector<std::string> fixed_words(const std::string& subcommand) {
  if (subcommand == "list" || subcommand == "top") return {"tenants", "users", "prefixes"};
  if (subcommand == "completion") return {"bash", "zsh", "fish"};
  return {};
}

std::string joined(const std::vector<Word>& words) {
  std::string text;
  for (const Word& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// In single quotes of a shell.
std::string single_quoted(const std::string& text) {
  std::string inside;
  for (char c : text) inside += c == '\'' ? "'\\''" : std::string(1, c);
  return "'" + inside + "'";
}

// Names of tenants are of anybody's making: they are compared and quoted, never handed to the shell as words to expand.
constexpr const char* kBash = R"bash(# bash completion for valkey-tenants
_valkey_tenants() {
    local at name words='' command='' current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local common='@common@'
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        @subcommands@) command=${COMP_WORDS[at]}; break ;;
        esac
    done
    case $command:$previous in
@values@    @free@) return ;;
    esac
    if [[ -z $words ]]; then
        case $command in
@cases@        *) words='@list@' ;;
        esac
        words+=" $common"
        if [[ $command == show && $current != -* ]]; then
            while IFS= read -r name; do
                [[ $name == "$current"* ]] && COMPREPLY+=("$(printf %q "$name")")
            done < <("${COMP_WORDS[0]}" "${COMP_WORDS[@]:1:at-1}" names 2>/dev/null </dev/null)
            return
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _valkey_tenants valkey-tenants
)bash";

constexpr const char* kZsh = R"zsh(#compdef valkey-tenants
_valkey_tenants_names() {
    local -a names
    names=(${(f)"$("${(@)given[1,${given[(i)show]}-1]}" names 2>/dev/null </dev/null)"})
    compadd -a names
}
_valkey_tenants() {
    local -a given=("${(@Q)words[1,CURRENT-1]}")
    local -a common=(@common@)
    local -a subcommands=(@subcommands@)
    local line state
    _arguments -C $common '1: :->command' '*:: :->rest'
    [[ $state == command ]] && _describe command subcommands
    [[ $state == rest ]] && case $line[1] in
@cases@    esac
}
_valkey_tenants "$@"
)zsh";

constexpr const char* kFish = R"fish(# fish completion for valkey-tenants
function __valkey_tenants_names
    set -l words (commandline -opc)
    set -l at (contains -i -- show $words); or return
    set -l last (math $at - 1)
    command $words[1..$last] names 2>/dev/null </dev/null
end
complete -c valkey-tenants -f
complete -c valkey-tenants -n '__fish_seen_subcommand_from show' -a '(__valkey_tenants_names)'
)fish";

std::string filled(std::string text, std::initializer_list<std::pair<const char*, std::string>> parts) {
  for (const auto& [name, part] : parts) {
    std::string mark = "@" + std::string(name) + "@";
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += part.size())
      text.replace(at, mark.size(), part);
  }
  return text;
}

std::string bash(const CLI::App& program) {
  std::string cases, values, names, subcommands, free;
  auto add_values = [&](const CLI::App* app, const std::string& command) {
    for (const Word& word : words_of(app)) {
      std::string pattern = command + ":" + word.text;
      if (!word.values.empty())
        values += "    " + pattern + ") words='" + joined(word.values) + "' ;;\n";
      else if (word.takes_value)
        free += (free.empty() ? "" : " | ") + pattern;
    }
  };
  add_values(&program, "*");
  for (const CLI::App* app : shown_subcommands(program)) {
    names += (names.empty() ? "" : " ") + app->get_name();
    subcommands += (subcommands.empty() ? "" : " | ") + app->get_name();
    cases += "        " + app->get_name() + ") words='" +
             joined({joined(words_of(app)), joined(fixed_words(app->get_name()))}) + "' ;;\n";
    add_values(app, app->get_name());
  }
  return filled(kBash, {{"common", joined(words_of(&program))},
                        {"subcommands", subcommands},
                        {"values", values},
                        {"free", free},
                        {"cases", cases},
                        {"list", names}});
}

std::string zsh(const CLI::App& program) {
  auto specs = [](const CLI::App* app) {
    std::string text;
    for (const Word& word : words_of(app)) {
      std::string help = word.help, value;
      for (char& c : help)
        if (c == '[' || c == ']' || c == ':') c = ' ';
      if (word.takes_value) value = word.values.empty() ? ":value:_files" : ":value:(" + joined(word.values) + ")";
      std::string spec("*");
      spec.append(word.text).append("[").append(help).append("]").append(value);
      text += " \\\n        " + single_quoted(spec);
    }
    return text;
  };
  std::string cases, subcommands;
  for (const CLI::App* app : shown_subcommands(program)) {
    std::vector<std::string> fixed = fixed_words(app->get_name());
    subcommands += " " + single_quoted(app->get_name() + ":" + app->get_description());
    cases += "    " + app->get_name() + ") _arguments $common" + specs(app);
    if (app->get_name() == "show") cases += " '1:tenant:_valkey_tenants_names'";
    cases += (fixed.empty() ? "" : " " + single_quoted("1:what:(" + joined(fixed) + ")")) + " ;;\n";
  }
  return filled(kZsh, {{"common", specs(&program)}, {"subcommands", subcommands}, {"cases", cases}});
}

std::string fish(const CLI::App& program) {
  std::string text = kFish;
  auto add = [&](const CLI::App* app, const std::string& when) {
    for (const Word& word : words_of(app)) {
      bool is_long = word.text.starts_with("--");
      text += "complete -c valkey-tenants" + when + (is_long ? " -l " : " -s ") + word.text.substr(is_long ? 2 : 1);
      if (!word.values.empty())
        text += " -x -a " + single_quoted(joined(word.values));
      else if (word.takes_value)
        text += " -r -F";
      text += " -d " + single_quoted(word.help) + "\n";
    }
  };
  add(&program, "");
  for (const CLI::App* app : shown_subcommands(program)) {
    std::string when = " -n " + single_quoted("__fish_seen_subcommand_from " + app->get_name());
    text += "complete -c valkey-tenants -n __fish_use_subcommand -a " + app->get_name() + " -d " +
            single_quoted(app->get_description()) + "\n";
    if (std::vector<std::string> fixed = fixed_words(app->get_name()); !fixed.empty())
      text += "complete -c valkey-tenants" + when + " -a " + single_quoted(joined(fixed)) + "\n";
    add(app, when);
  }
  return text;
}

}  // namespace

Subcommand add_completion(CLI::App& program) {
  auto shell = std::make_shared<std::string>();
  CLI::App* app = program.add_subcommand("completion", "Print the completion script of a shell");
  app->footer(
      "  source <(valkey-tenants completion bash)                 in this shell\n"
      "  valkey-tenants completion bash > /etc/bash_completion.d/valkey-tenants\n"
      "  valkey-tenants completion zsh > /usr/local/share/zsh/site-functions/_valkey-tenants\n"
      "  valkey-tenants completion fish > ~/.config/fish/completions/valkey-tenants.fish");
  app->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
  return {app, [&program, shell] {
            write_out(*shell == "bash" ? bash(program) : *shell == "zsh" ? zsh(program) : fish(program));
            return static_cast<int>(Exit::kOk);
          }};
}

// The names of tenants, for a shell that waits with its user: within a second, or none; nothing is asked or said.
Subcommand add_names(CLI::App& program, const ConnectionOptions& connection) {
  CLI::App* app = program.add_subcommand("names", "Print the names of tenants")->group("");
  return {app, [&connection] {
            try {
              ConnectionOptions options = connection;
              if (options.ask_password) return static_cast<int>(Exit::kUsage);
              Fleet fleet(chosen_targets(options), std::min(options.timeout(), std::chrono::milliseconds(1000)));
              std::string text;
              for (const Row& row : sum(fleet.read({}), Table::kTenants).rows) text += shown_name(row) + "\n";
              write_out(text);
            } catch (const Failure& failure) {
              return static_cast<int>(failure.code);
            }
            return static_cast<int>(Exit::kOk);
          }};
}

}  // namespace tenants::tool
