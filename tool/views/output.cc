#include "tool/views/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tool/client/printable.h"

namespace tenants::tool {

void write_out(std::string_view text) {
  while (!text.empty()) {
    ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
    if (done >= 0) {
      text.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno == EPIPE) {
      std::signal(SIGPIPE, SIG_DFL);
      std::raise(SIGPIPE);
    } else if (errno != EINTR) {
      throw Failure(Exit::kError, std::string("cannot write: ") + std::strerror(errno));
    }
  }
}

void say(const std::string& message) {
  std::string line = "valkey-tenants: " + message + "\n";
  [[maybe_unused]] ssize_t done = ::write(STDERR_FILENO, line.data(), line.size());
}

std::size_t output_width() {
  winsize size{};
  if (!::isatty(STDOUT_FILENO) || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::size_t output_lines() {
  winsize size{};
  if (!::isatty(STDOUT_FILENO) || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_row;
}

bool colours_welcome() {
  const char *no = std::getenv("NO_COLOR"), *term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) && !(no && *no) && term && std::strcmp(term, "dumb") != 0;
}

int report_incomplete(const Snapshot& snapshot) {
  if (snapshot.nodes_up() == 0) {
    const Node& first = snapshot.nodes.front();
    for (std::size_t i = 1; i < snapshot.nodes.size(); ++i)
      say(printable(snapshot.nodes[i].address) + ": " + snapshot.nodes[i].failure.what());
    throw Failure(first.failure.code, printable(first.address) + ": " + first.failure.what());
  }
  std::vector<std::string> missing = snapshot.incomplete();
  for (const std::string& line : missing) say("incomplete, without " + line);
  if (std::string counting = snapshot.counting(); !counting.empty()) say(counting);
  return static_cast<int>(missing.empty() ? Exit::kOk : Exit::kError);
}

}  // namespace tenants::tool
