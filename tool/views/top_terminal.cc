#include "tool/views/top_terminal.h"

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

#include <cwchar>
#include <string_view>

#include "tool/client/failure.h"
#include "tool/views/output.h"

namespace tenants::tool {

namespace {

constexpr short kBars = 1, kRed = 2, kYellow = 3;  // colour pairs

bool is_gone() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL));
}

// For a terminal that is told not to have more than ASCII. A trend is not readable there.
std::string ascii(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kReplaced[] = {
      {"Δ", "d"}, {"±", "~"}, {"–", "-"}, {"…", "."}};
  std::string all;
  while (!text.empty()) {
    std::size_t length = 1;
    while (length < text.size() && (text[length] & 0xC0) == 0x80) ++length;
    std::string_view one = text.substr(0, length), shown = length > 1 ? "?" : one;
    for (auto [from, to] : kReplaced)
      if (one == from) shown = to;
    all += shown;
    text.remove_prefix(length);
  }
  return all;
}

std::string utf8(wint_t character) {
  char bytes[16];
  std::mbstate_t state{};
  std::size_t length = std::wcrtomb(bytes, static_cast<wchar_t>(character), &state);
  return length == static_cast<std::size_t>(-1) ? "" : std::string(bytes, length);
}

Key::Special special(int status, wint_t code) {
  if (status != KEY_CODE_YES) {
    if (code == L'\n' || code == L'\r') return Key::kEnter;
    if (code == 27) return Key::kEscape;
    return code == 127 || code == L'\b' ? Key::kErase : Key::kNone;
  }
  constexpr std::pair<wint_t, Key::Special> kKeys[] = {
      {KEY_UP, Key::kUp},     {KEY_DOWN, Key::kDown},   {KEY_PPAGE, Key::kPageUp},  {KEY_NPAGE, Key::kPageDown},
      {KEY_HOME, Key::kHome}, {KEY_END, Key::kEnd},     {KEY_ENTER, Key::kEnter},   {KEY_BACKSPACE, Key::kErase},
      {KEY_DC, Key::kErase},  {KEY_EXIT, Key::kEscape}, {KEY_RESIZE, Key::kResize},
  };
  for (auto [of, key] : kKeys)
    if (of == code) return key;
  return Key::kNone;
}

}  // namespace

Terminal::Terminal() {
  bool known = ::newterm(nullptr, stdout, stdin) != nullptr;
  if (known && !::tigetstr("cup")) ::endwin(), known = false;  // its cursor cannot be moved
  if (!known) throw Failure(Exit::kError, "top cannot use this terminal; without one: top -b");
  ::cbreak();
  ::noecho();
  ::curs_set(0);
  ::keypad(stdscr, TRUE);
  ::set_escdelay(25);
  if (!colours_welcome() || !::has_colors()) return;
  coloured_ = true;
  ::start_color();
  ::use_default_colors();
  ::init_pair(kBars, COLOR_GREEN, -1);
  ::init_pair(kRed, COLOR_RED, -1);
  ::init_pair(kYellow, COLOR_YELLOW, -1);
}

Terminal::~Terminal() { ::endwin(); }

int Terminal::lines() const { return LINES; }
int Terminal::columns() const { return COLS; }
void Terminal::clear() { ::erase(); }
void Terminal::show() { ::refresh(); }

void Terminal::put(int line, const ScreenLine& shown) {
  if (line < 0 || line >= LINES) return;
  attr_t looks[] = {A_NORMAL, A_BOLD | A_UNDERLINE, A_BOLD, A_DIM, A_REVERSE, A_BOLD, A_BOLD};
  if (coloured_) looks[static_cast<std::size_t>(Look::kWarning)] = static_cast<attr_t>(COLOR_PAIR(kYellow));
  if (coloured_) looks[static_cast<std::size_t>(Look::kCritical)] = static_cast<attr_t>(COLOR_PAIR(kRed)) | A_BOLD;
  std::string text = std::string_view(::nl_langinfo(CODESET)) == "UTF-8" ? shown.text : ascii(shown.text);
  std::size_t bytes = 0;
  int characters = 0;
  for (; bytes < text.size(); ++bytes)
    if ((text[bytes] & 0xC0) != 0x80 && ++characters > COLS) break;
  ::attrset(static_cast<int>(looks[static_cast<std::size_t>(shown.look)]));
  ::mvaddnstr(line, 0, text.c_str(), static_cast<int>(bytes));
  for (; shown.look == Look::kCursor && characters < COLS; ++characters) ::addch(' ');
  ::attrset(A_NORMAL);
}

void Terminal::colour_bar(int line, std::size_t column, std::size_t count) {
  if (coloured_ && count) ::mvchgat(line, static_cast<int>(column), static_cast<int>(count), A_NORMAL, kBars, nullptr);
}

std::optional<Key> Terminal::key(int msec) {
  ::timeout(msec);
  wint_t code = 0;
  int status = ::get_wch(&code);
  if (status == ERR) {  // no key, or none ever again
    if (is_gone()) throw Failure(Exit::kError, "the terminal is gone");
    return std::nullopt;
  }
  Key key{special(status, code), ""};
  if (status != KEY_CODE_YES && key.special == Key::kNone) key.text = utf8(code);
  return key;
}

}  // namespace tenants::tool
