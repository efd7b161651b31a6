// `completion`: scripts for shells, made from the options as they are declared.

#include <CLI/CLI.hpp>

#include "tool/views/output.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

struct Word {
  std::string text, help;
  std::vector<std::string> values;  // what may follow; empty: anything
  bool takes_value = false;
};

std::vector<Word> words_of(const CLI::App* app) {
  std::vector<Word> words;
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    std::vector<std::string> names;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : names)
      words.push_back({name, option->get_description(), {}, option->get_items_expected_max() > 0});
  }
  return words;
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
std::string quoted(const std::string& text) {
  std::string inside;
  for (char c : text) inside += c == '\'' ? "'\\''" : std::string(1, c);
  return "'" + inside + "'";
}

std::string bash(const CLI::App& program) {
  std::vector<std::string> subcommands;
  std::string cases;
  for (const CLI::App* app : program.get_subcommands({})) {
    subcommands.push_back(app->get_name());
    cases += "        " + app->get_name() + ") words=\"" +
             joined({joined(words_of(app)), joined(fixed_words(app->get_name()))}) + "\" ;;\n";
  }
  return "# bash completion for valkey-tenants\n"
         "_valkey_tenants() {\n"
         "    local word words='' common=\"" +
         joined(words_of(&program)) +
         "\"\n"
         "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "        case $word in\n" +
         cases +
         "        esac\n"
         "    done\n"
         "    [[ -n $words ]] || words=\"" +
         joined(subcommands) +
         "\"\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words $common\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
         "}\n"
         "complete -o default -F _valkey_tenants valkey-tenants\n";
}

std::string zsh(const CLI::App& program) {
  auto specs = [](const CLI::App* app) {
    std::string text;
    for (const Word& word : words_of(app)) {
      std::string help = word.help;
      for (char& c : help)
        if (c == '[' || c == ']' || c == ':') c = ' ';
      text += " \\\n        " + quoted("*" + word.text + "[" + help + "]" + (word.takes_value ? ":value:_files" : ""));
    }
    return text;
  };
  std::string cases, subcommands;
  for (const CLI::App* app : program.get_subcommands({})) {
    std::vector<std::string> fixed = fixed_words(app->get_name());
    subcommands += " " + quoted(app->get_name() + ":" + app->get_description());
    cases += "    " + app->get_name() + ") _arguments $common" + specs(app) +
             (fixed.empty() ? "" : " " + quoted("1:what:(" + joined(fixed) + ")")) + " ;;\n";
  }
  return "#compdef valkey-tenants\n"
         "_valkey_tenants() {\n"
         "    local -a common=(" +
         specs(&program) +
         ")\n"
         "    local -a subcommands=(" +
         subcommands +
         ")\n"
         "    local line state\n"
         "    _arguments -C $common '1: :->command' '*:: :->rest'\n"
         "    [[ $state == command ]] && _describe command subcommands\n"
         "    [[ $state == rest ]] && case $line[1] in\n" +
         cases +
         "    esac\n"
         "}\n"
         "_valkey_tenants \"$@\"\n";
}

std::string fish(const CLI::App& program) {
  std::string text = "# fish completion for valkey-tenants\ncomplete -c valkey-tenants -f\n";
  auto add = [&](const CLI::App* app, const std::string& when) {
    for (const Word& word : words_of(app))
      text += "complete -c valkey-tenants" + when + (word.text.starts_with("--") ? " -l " : " -s ") +
              word.text.substr(word.text.starts_with("--") ? 2 : 1) + (word.takes_value ? " -r" : "") + " -d " +
              quoted(word.help) + "\n";
  };
  add(&program, "");
  for (const CLI::App* app : program.get_subcommands({})) {
    std::string when = " -n " + quoted("__fish_seen_subcommand_from " + app->get_name());
    text += "complete -c valkey-tenants -n __fish_use_subcommand -a " + app->get_name() + " -d " +
            quoted(app->get_description()) + "\n";
    if (std::vector<std::string> fixed = fixed_words(app->get_name()); !fixed.empty())
      text += "complete -c valkey-tenants" + when + " -a " + quoted(joined(fixed)) + "\n";
    add(app, when);
  }
  return text;
}

}  // namespace

Subcommand add_completion(CLI::App& program) {
  auto shell = std::make_shared<std::string>();
  CLI::App* app = program.add_subcommand("completion", "Print the completion script of a shell");
  app->footer(
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

}  // namespace tenants::tool
