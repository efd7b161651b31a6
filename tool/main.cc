// valkey-tenants: what each tenant of shared Valkey servers uses.

#include <CLI/CLI.hpp>
#include <clocale>
#include <csignal>
#include <optional>
#include <string>

#include "tool/client/printable.h"
#include "tool/views/output.h"
#include "tool/views/suggest.h"
#include "tool/views/views.h"
#if __has_include("tool/exporter/exporter.h")
#include "tool/exporter/exporter.h"
#define HAS_EXPORTER 1
#endif

namespace tenants::tool {
namespace {

constexpr const char* kVersion = "valkey-tenants " TENANTS_VERSION;

// Examples stand first, whatever else there is to say.
class Help : public CLI::Formatter {
 public:
  Help() { column_width(34); }

  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    bool whole_program = app->get_parent() == nullptr;
    std::string text = app->get_description() + "\n\nExamples:\n" + app->get_footer() + "\n\n";
    text += make_usage(app, whole_program ? "valkey-tenants" : "valkey-tenants [SERVERS] " + app->get_name()) +
            make_positionals(app) + make_groups(app, mode) + make_subcommands(app, mode);
    for (std::size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 1);
    if (whole_program)
      text +=
          "\nExit codes: 0 ok, 1 error or incomplete, 2 usage, 3 cannot connect, 4 login or ACL, 5 no module;\n"
          "`check` has those of monitoring plug-ins.\n";
    else
      text += "\nWhich servers, login and TLS: valkey-tenants --help\n";
    return text;
  }
};

// Of an option that another command has, or this one behind its name; else empty.
std::string where_it_stands(const CLI::App& program, const std::string& option) {
  std::string of;
  for (const CLI::App* one : program.get_subcommands({})) {
    if (one->get_group().empty() || !one->get_option_no_throw(option)) continue;
    std::string name = one->get_name();
    if (program.got_subcommand(name))
      return std::string("option ").append(option).append(" of ").append(name).append(" stands behind that word");
    of.append(of.empty() ? "" : ", ").append(name);
  }
  return of.empty() ? of : "option " + option + " is one of " + of + " and stands behind that word; see --help";
}

// "unknown option --srt, did you mean --sort?", if that is what was wrong.
std::optional<std::string> unknown_option(const CLI::App& program) {
  std::vector<const CLI::App*> apps{&program};
  for (const CLI::App* chosen : program.get_subcommands()) apps.push_back(chosen);
  std::vector<std::string> names;
  for (const CLI::App* one : apps)
    for (const CLI::Option* option : one->get_options())
      for (const std::string& name : option->get_lnames())
        if (!option->get_group().empty()) names.push_back("--" + name);
  for (const std::string& word : program.remaining(true)) {
    if (!word.starts_with('-')) continue;
    std::string name = word.substr(0, word.find('='));
    if (std::string where = where_it_stands(program, name); !where.empty()) return where;
    std::string meant = name.starts_with("--") ? did_you_mean(name, names) : "";
    return "unknown option " + printable(name) + (meant.empty() ? "; see --help" : meant);
  }
  return std::nullopt;
}

// Words that were not expected are not repeated, but for names of options: one may be a password.
std::string wrong_usage(const CLI::App& program, const CLI::ParseError& error) {
  if (auto unknown = unknown_option(program)) return *unknown;
  if (dynamic_cast<const CLI::ExtrasError*>(&error) && !program.get_subcommands().empty())
    return "there is an argument too many; see --help";
  if (!program.get_subcommands().empty() || program.remaining_size() == 0)
    return error.what() + std::string("; see --help");
  std::string allowed;
  std::vector<std::string> names;
  for (const CLI::App* one : program.get_subcommands({})) {
    if (one->get_group().empty()) continue;  // hidden
    names.push_back(one->get_name());
    allowed += (allowed.empty() ? "" : ", ") + names.back();
  }
  std::string typed = program.remaining().front();
  std::string meant = did_you_mean(typed, names);
  return "unknown command " + printable(typed) + (meant.empty() ? ", allowed are " + allowed : meant);
}

int fail(const CLI::App& program, const Failure& failure) {
  if (program.got_subcommand("check")) return fail_check(failure);
  say(failure.what());
  return static_cast<int>(failure.code);
}

int run(int argc, char** argv) {
  CLI::App program("valkey-tenants: who uses what of shared Valkey servers, measured by the module tenants");
  program.formatter(std::make_shared<Help>());
  program.set_help_flag("--help", "Print this");
  program.set_version_flag("--version", kVersion, "Print the version");
  program.footer(
      "  valkey-tenants top                             who uses most right now, on 127.0.0.1:6379\n"
      "  valkey-tenants -h 10.0.0.1 list --sort keys    who has most keys\n"
      "  valkey-tenants -c -h 10.0.0.1 show app1        all of one tenant, over a whole cluster");
  program.require_subcommand(1);
  program.fallthrough();
  ConnectionOptions connection;
  add_connection_options(program, connection);

  std::vector<Subcommand> subcommands{add_top(program, connection), add_list(program, connection),
                                      add_show(program, connection), add_check(program, connection)};
#ifdef HAS_EXPORTER
  subcommands.push_back(add_exporter(program, connection));
#endif
  subcommands.push_back(add_completion(program));
  subcommands.push_back(add_names(program, connection));
  subcommands.push_back(add_manual(program));

  try {
    program.parse(argc, argv);
    for (const Subcommand& subcommand : subcommands)
      if (subcommand.app->parsed()) return subcommand.run();
  } catch (const CLI::Success& wish) {  // --help, --version
    return program.exit(wish);
  } catch (const CLI::ParseError& error) {
    return fail(program, Failure(Exit::kUsage, wrong_usage(program, error)));
  } catch (const Failure& failure) {
    return fail(program, failure);
  } catch (const std::exception& error) {
    return fail(program, Failure(Exit::kError, error.what()));
  }
  return static_cast<int>(Exit::kOk);
}

}  // namespace
}  // namespace tenants::tool

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  std::signal(SIGPIPE, SIG_IGN);  // a server that goes away is an error to be told, not our end
  try {
    return tenants::tool::run(argc, argv);
  } catch (...) {  // no memory, not even for a message
    return static_cast<int>(tenants::tool::Exit::kError);
  }
}
