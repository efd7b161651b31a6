#include "tool/views/top_screen.h"

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <optional>
#include <utility>

#include "tool/client/printable.h"
#include "tool/views/output.h"

namespace tenants::tool {

namespace {

constexpr const char* kKeys = "q quit  </> sort  r reverse  / filter  TAB table  SPACE pause  ? help";
constexpr const char* kHelp[] = {
    "Rates are per second over the time between two readings; CPU% is of one core,",
    "over all nodes; memory and keys are those of the primaries.",
    "",
    "  q         quit",
    "  < >       sort by the column to the left or right; P by CPU, M by memory",
    "  r         reverse the order",
    "  /         show names that contain a text, or match a pattern with * ? [",
    "  TAB       tenants, users, prefixes",
    "  SPACE     pause and go on",
    "  arrows, page up and down, home, end: scroll",
    "",
    "Any key goes back.",
};
constexpr int kBars = 1, kAlarm = 2;  // colour pairs

// The terminal is given back whatever happens.
struct Terminal {
  Terminal() {
    bool known = ::newterm(nullptr, stdout, stdin) != nullptr;
    if (known && !::tigetstr("cup")) ::endwin(), known = false;  // its cursor cannot be moved
    if (!known) throw Failure(Exit::kError, "top cannot use this terminal; without one: top -b");
    ::cbreak();
    ::noecho();
    ::curs_set(0);
    ::keypad(stdscr, TRUE);
    ::set_escdelay(25);
    if (colours_welcome() && ::has_colors()) {
      ::start_color();
      ::use_default_colors();
      ::init_pair(kBars, COLOR_GREEN, -1);
      ::init_pair(kAlarm, COLOR_RED, -1);
      coloured = true;
    }
  }
  ~Terminal() { ::endwin(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  bool coloured = false;
};

class Screen {
 public:
  Screen(Fleet& fleet, TopOptions options, std::chrono::duration<double> delay)
      : fleet_(fleet), options_(std::move(options)), delay_(delay) {}

  void run() {
    bool changed = true;
    while (!leaving_) {
      changed |= read();
      if (changed) draw();
      ::timeout(50);
      int key = ::getch();
      changed = key != ERR;
      if (changed) press(key);
    }
    ::endwin();
    using namespace std::chrono_literals;
    if (reading_.valid() && reading_.wait_for(0s) != std::future_status::ready)
      std::_Exit(static_cast<int>(Exit::kOk));  // a server is slow; nobody waits for it any more
  }

 private:
  // Takes in a reading that is complete, begins the next one when it is time; did anything change?
  bool read() {
    using namespace std::chrono_literals;
    bool changed = false;
    if (reading_.valid() && reading_.wait_for(0s) == std::future_status::ready) {
      Snapshot snapshot = reading_.get();
      changed = read_table_ == options_.table;  // else the operator has gone on to another
      if (changed) before_ = std::exchange(now_, std::move(snapshot));
    }
    if (!reading_.valid() && !paused_ && Clock::now() >= next_) {
      next_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(delay_);
      read_table_ = options_.table;
      Wanted wanted{.tenants = read_table_ == Table::kTenants,
                    .users = read_table_ == Table::kUsers,
                    .prefixes = read_table_ == Table::kPrefixes};
      reading_ = std::async(std::launch::async, [this, wanted] { return fleet_.read(wanted); });
    }
    return changed;
  }

  void press(int key) {
    if (helping_) {
      helping_ = key == KEY_RESIZE;
      return;
    }
    if (typing_) return type(key);
    int page = std::max(1, LINES - 6);
    switch (key) {
      case 'q':
      case 'Q':
        leaving_ = true;
        break;
      case '<':
      case '>':
        options_.sort = next_sort(options_.table, options_.sort, key == '<' ? -1 : 1);
        break;
      case 'P':
      case 'M':
        options_.sort = find_top_column(options_.table, key == 'P' ? "CPU%" : "MEMORY").value_or(options_.sort);
        break;
      case 'r':
      case 'R':
        options_.reverse = !options_.reverse;
        break;
      case '/':
        typing_ = true;
        break;
      case '\t':
        options_.table = static_cast<Table>((static_cast<std::size_t>(options_.table) + 1) % kTables);
        options_.sort = 0, top_ = 0, next_ = {};
        before_.reset(), now_.reset();
        break;
      case ' ':
        paused_ = !paused_;
        break;
      case '?':
      case 'h':
        helping_ = true;
        break;
      case KEY_UP:
        --top_;
        break;
      case KEY_DOWN:
        ++top_;
        break;
      case KEY_PPAGE:
        top_ -= page;
        break;
      case KEY_NPAGE:
        top_ += page;
        break;
      case KEY_HOME:
        top_ = 0;
        break;
      case KEY_END:
        top_ = 1 << 30;
        break;
      default:
        break;
    }
  }

  // A key of the filter's line.
  void type(int key) {
    std::string& filter = options_.filter;
    if (key == '\n' || key == '\r' || key == KEY_ENTER) typing_ = false;
    if (key == 27) typing_ = false, filter.clear();
    if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && !filter.empty()) filter.pop_back();
    if (key >= ' ' && key <= '~') filter += static_cast<char>(key);
    top_ = 0;
  }

  void draw() {
    ::erase();
    if (helping_) {
      for (int i = 0; i < static_cast<int>(std::size(kHelp)); ++i) put(i, kHelp[i]);
      ::refresh();
      return;
    }
    int line = 0;
    if (!now_) {
      put(line, "reading ...");
    } else {
      TopFrame frame = top_frame(before_ ? &*before_ : nullptr, *now_, options_);
      for (std::size_t i = 0; i < frame.about.size(); ++i) put(line++, frame.about[i], i ? alarm() : A_BOLD);
      draw_table(line, frame.table);
    }
    std::string state = paused_ ? "PAUSED  " : "";
    if (typing_ || !options_.filter.empty())
      state += "filter: " + printable(options_.filter) + (typing_ ? "_  " : "  ");
    put(LINES - 1, state + kKeys, A_DIM);
    ::refresh();
  }

  void draw_table(int line, const TextTable& table) {
    std::vector<std::string> lines;
    std::string text = table.text(static_cast<std::size_t>(COLS));
    for (std::size_t from = 0; from < text.size();) {
      std::size_t end = text.find('\n', from);
      lines.push_back(text.substr(from, end - from));
      from = end + 1;
    }
    constexpr int kFixed = 2;  // heading and total
    int room = std::max(0, LINES - 1 - line - kFixed), rows = static_cast<int>(lines.size()) - kFixed;
    top_ = std::clamp(top_, 0, std::max(0, rows - room));
    for (int i = 0; i < kFixed; ++i) put(line++, lines[static_cast<std::size_t>(i)], i == 0 ? A_REVERSE : A_BOLD);
    std::size_t first = static_cast<std::size_t>(kFixed) + static_cast<std::size_t>(top_);
    for (int i = 0; i < room && top_ + i < rows; ++i, ++line) {
      const std::string& row = lines[first + static_cast<std::size_t>(i)];
      put(line, row);
      std::size_t at = row.find('|', row.find(' '));  // a name has no space, and may have a bar
      for (; bars() && at != std::string::npos; at = row.find('|', at + 1))
        ::mvchgat(line, static_cast<int>(at), 1, A_NORMAL, kBars, nullptr);
    }
  }

  // One line, cut to the screen. A heading is filled up: it is shown reversed.
  void put(int line, std::string text, attr_t look = A_NORMAL) {
    if (line < 0 || line >= LINES) return;
    if (look == A_REVERSE) text.resize(std::max(text.size(), static_cast<std::size_t>(COLS)), ' ');
    ::attrset(static_cast<int>(look));
    ::mvaddnstr(line, 0, text.c_str(), bytes_of(text));
    ::attrset(A_NORMAL);
  }
  // Bytes of the text's first COLS characters.
  static int bytes_of(const std::string& text) {
    std::size_t at = 0;
    for (int shown = 0; at < text.size(); ++at)
      if ((text[at] & 0xC0) != 0x80 && ++shown > COLS) break;
    return static_cast<int>(at);
  }

  bool bars() const { return terminal_.coloured; }
  attr_t alarm() const { return terminal_.coloured ? COLOR_PAIR(kAlarm) : A_BOLD; }

  Fleet& fleet_;
  TopOptions options_;
  std::chrono::duration<double> delay_;
  Terminal terminal_;
  std::optional<Snapshot> before_, now_;
  std::future<Snapshot> reading_;
  Table read_table_ = Table::kTenants;  // of reading_
  Deadline next_{};
  int top_ = 0;  // first row shown
  bool paused_ = false, typing_ = false, helping_ = false, leaving_ = false;
};

}  // namespace

void run_top_screen(Fleet& fleet, TopOptions options, std::chrono::duration<double> delay) {
  Screen(fleet, std::move(options), delay).run();
}

}  // namespace tenants::tool
