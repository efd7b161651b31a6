// `manual`, which is in no help: the manual page, out of a frame on stdin (docs/valkey-tenants.1.in) and what the
// options say of themselves.
//
//   @options list@    the options of a subcommand, or of a group of the program's: @options TLS@
//   @examples list@   the examples of a subcommand
//
// A subcommand or a group that the frame does not name is an error: nothing can be forgotten there.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>

#include "tool/views/output.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

// A line that says this, whatever it begins with.
std::string roff(const std::string& text) {
  std::string line = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (char c : text) line += c == '\\' ? "\\e" : c == '-' ? "\\-" : c == '\'' ? "\\(aq" : std::string(1, c);
  return line;
}

std::string option_entry(const CLI::Option& option) {
  std::string names;
  auto add = [&](const std::string& name) { names += (names.empty() ? "\\fB" : ", \\fB") + roff(name) + "\\fR"; };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (names.empty()) return "";  // a word, which the frame tells
  std::string value = option.get_items_expected_max() > 0 ? option.get_type_name() : "";
  return ".TP\n" + names + (value.empty() ? "" : " \\fI" + roff(value) + "\\fR") + "\n" +
         roff(option.get_description()) + (option.get_description().ends_with('.') ? "\n" : ".\n");
}

std::string options_of(const CLI::App& app, const std::string& group) {
  std::string text;
  for (const CLI::Option* option : app.get_options())
    if (!option->get_group().empty() && (option->get_name() != "--help" || !group.empty()) &&
        (group.empty() || option->get_group() == group))
      text += option_entry(*option);
  return text;
}

std::string examples_of(const CLI::App& app) {
  std::string text = ".PP\n.nf\n", footer = app.get_footer() + "\n";
  for (std::size_t at = 0, end; (end = footer.find('\n', at)) != std::string::npos; at = end + 1)
    text += roff(footer.substr(at, end - at)) + "\n";
  return text + ".fi\n";
}

void replace(std::string& page, const std::string& mark, const std::string& with) {
  std::size_t at = page.find("@" + mark + "@\n");
  if (at == std::string::npos) throw Failure(Exit::kError, "the manual page has no @" + mark + "@");
  page.replace(at, mark.size() + 3, with);
}

}  // namespace

Subcommand add_manual(CLI::App& program) {
  CLI::App* app = program.add_subcommand("manual", "Print the manual page, its frame on stdin")->group("");
  return {app, [&program] {
            std::string page{std::istreambuf_iterator<char>(std::cin), {}};
            for (const CLI::App* one : program.get_subcommands({})) {
              if (one->get_group().empty()) continue;  // hidden
              replace(page, "examples " + one->get_name(), examples_of(*one));
              replace(page, "options " + one->get_name(), options_of(*one, ""));
            }
            std::vector<std::string> groups;
            for (const CLI::Option* option : program.get_options())
              if (const std::string& group = option->get_group(); !group.empty())
                if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
            for (const std::string& group : groups) replace(page, "options " + group, options_of(program, group));
            write_out(page);
            return static_cast<int>(Exit::kOk);
          }};
}

}  // namespace tenants::tool
