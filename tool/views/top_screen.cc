#include "tool/views/top_screen.h"

#include <algorithm>
#include <cstdlib>
#include <cwchar>
#include <cwctype>
#include <future>
#include <optional>
#include <utility>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/views/top_details.h"
#include "tool/views/top_terminal.h"

namespace tenants::tool {

namespace {

using namespace std::chrono_literals;

constexpr int kTick = 50;                          // ms; a reading that is complete waits so long
constexpr std::chrono::seconds kSecondReading{1};  // the latest, where the first has no rates
constexpr const char* kHelpKey = "? help";

// What was typed, as it is where the terminal can show it.
std::string shown_filter(const std::string& filter) {
  std::mbstate_t state{};
  const char* at = filter.c_str();
  std::vector<wchar_t> wide(filter.size() + 1);
  std::size_t length = std::mbsrtowcs(wide.data(), &at, wide.size(), &state);
  if (length == static_cast<std::size_t>(-1)) return printable(filter);
  wide.resize(length);
  return std::ranges::all_of(wide, [](wchar_t c) { return std::iswprint(static_cast<wint_t>(c)); }) ? filter
                                                                                                    : printable(filter);
}

void erase_character(std::string& text) {
  while (!text.empty() && (text.back() & 0xC0) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

std::string grouped(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

// What is read in the background: a table, or one tenant.
struct Question {
  Table table = Table::kTenants;
  bool hits = false;
  std::optional<std::string> tenant;
  bool operator==(const Question&) const = default;
};
struct Read {
  Question question;
  TopRows rows;
  TopTenant tenant;
};

class Screen {
 public:
  Screen(Fleet& fleet, TopOptions options, std::chrono::duration<double> delay, std::uint64_t frames)
      : reader_(fleet), options_(std::move(options)), delay_(delay), frames_(frames) {}

  void run() {
    try {
      loop();
    } catch (...) {
      abandon();
      throw;
    }
    terminal_.reset();
    if (is_reading()) std::_Exit(static_cast<int>(Exit::kOk));  // a server is slow; nobody waits for it any more
  }

 private:
  enum class Mode : std::uint8_t { kTable, kFilter, kHelp };

  void loop() {
    bool changed = true;
    while (!leaving_) {
      changed |= read();
      if (changed) draw();
      if (frames_ && shown_ >= frames_) return;
      std::optional<Key> key = terminal_->key(kTick);
      changed = key.has_value();
      if (key) press(*key);
    }
  }

  bool is_reading() const { return reading_.valid() && reading_.wait_for(0s) != std::future_status::ready; }
  // The terminal is gone, or there is no memory: who waits for a slow server would wait for long.
  void abandon() {
    terminal_.reset();
    if (is_reading()) std::_Exit(static_cast<int>(Exit::kError));
  }

  Question question() const {
    std::size_t hits = find_top_column(options_.table, "HIT%").value_or(TopColumn::kNone);
    return {options_.table, layout_.shows(hits), tenant_};
  }

  // Takes in a reading that is complete, begins the next one when it is time; did anything change?
  bool read() {
    bool changed = false;
    if (reading_.valid() && !is_reading()) changed = take_in(reading_.get());
    if (reading_.valid() || (paused_ && !hurry_) || (!hurry_ && Clock::now() < next_)) return changed;
    auto delay = std::chrono::duration_cast<Clock::duration>(delay_);
    bool first = !tenant_ && !rows_;
    next_ = Clock::now() + (first ? std::min<Clock::duration>(delay, kSecondReading) : delay);
    hurry_ = false;
    layout();
    reading_ = std::async(std::launch::async, [this, asked = question()] {
      Read read{.question = asked};
      if (asked.tenant)
        read.tenant = reader_.read(*asked.tenant);
      else
        read.rows = reader_.read(asked.table, asked.hits);
      return read;
    });
    return changed;
  }

  bool take_in(Read read) {
    if (read.question.tenant != tenant_ || read.question.table != options_.table) return false;  // no longer asked for
    if (tenant_) {
      page_ = std::move(read.tenant);
      history_.take_in(*page_);
    } else {
      rows_ = std::move(read.rows);
      arrange();
    }
    ++shown_;
    return true;
  }

  // Who is shown, in which order: after each reading, and when another order or filter is asked for.
  void arrange() {
    if (!rows_) return;
    order_ = top_order(*rows_, options_);
    total_ = top_total(*rows_, order_);
    whole_ = top_whole(*rows_, options_.sort);
    longest_ = 0;
    for (std::uint32_t row : order_) longest_ = std::max(longest_, rows_->rows[row].title.size());
    auto at = std::ranges::find(order_, cursor_name_, [&](std::uint32_t row) { return rows_->rows[row].title; });
    if (at != order_.end()) cursor_ = static_cast<int>(at - order_.begin());
  }

  void layout() { layout_ = top_layout(options_, static_cast<std::size_t>(terminal_->columns()), longest_, true); }

  void press(const Key& key) {
    message_.clear();
    if (mode_ == Mode::kHelp) {
      if (key.special != Key::kResize) mode_ = Mode::kTable;
    } else if (mode_ == Mode::kFilter) {
      type(key);
    } else if (key.letter() == ' ') {
      paused_ = !paused_;
    } else if (key.letter() == '?' || key.letter() == 'h') {
      mode_ = Mode::kHelp;
    } else if (tenant_) {
      bool back = key.special == Key::kEscape || key.special == Key::kErase || key.letter() == 'q';
      if (back) tenant_.reset(), page_.reset(), hurry_ = !paused_;
    } else if (key.special != Key::kNone) {
      move(key.special);
    } else {
      choose(key.letter());
    }
  }

  void move(Key::Special key) {
    int page = std::max(1, room_), last = static_cast<int>(order_.size()) - 1;
    switch (key) {
      case Key::kUp:
        --cursor_;
        break;
      case Key::kDown:
        ++cursor_;
        break;
      case Key::kPageUp:
        cursor_ -= page;
        break;
      case Key::kPageDown:
        cursor_ += page;
        break;
      case Key::kHome:
        cursor_ = 0;
        break;
      case Key::kEnd:
        cursor_ = last;
        break;
      case Key::kEnter:
        return open();
      case Key::kEscape:
        options_.filter.clear();
        return arrange();
      default:
        return;
    }
    cursor_ = std::clamp(cursor_, 0, std::max(0, last));
    // From now on it stays with its row; in the first line it stays with whoever is first.
    cursor_name_ = cursor_ && rows_ ? rows_->rows[order_[static_cast<std::size_t>(cursor_)]].title : "";
  }

  // The tenant of the row with the cursor.
  void open() {
    if (!rows_ || order_.empty()) return;
    const TopRow& row = rows_->rows[order_[static_cast<std::size_t>(cursor_)]];
    std::string name = options_.table == Table::kTenants ? row.name : row.owner;
    if (is_own(row.kind) || name.empty() || name == "(orphans)") {
      message_ = row.title + " is no tenant's";
      return;
    }
    tenant_ = name, page_.reset(), history_ = {}, hurry_ = true;
  }

  void choose(char key) {
    switch (key) {
      case 'q':
      case 'Q':
        leaving_ = true;
        return;
      case '<':
      case '>':
        layout();
        options_.sort = next_sort(layout_, key == '<' ? -1 : 1);
        break;
      case 'r':
      case 'R':
        options_.reverse = !options_.reverse;
        break;
      case '/':
        mode_ = Mode::kFilter;
        return;
      case '\t':
        options_.table = static_cast<Table>((static_cast<std::size_t>(options_.table) + 1) % kTables);
        options_.sort = 0, cursor_ = 0, top_ = 0, cursor_name_.clear(), hurry_ = true;
        rows_.reset(), order_.clear();
        return;
      default:
        std::span<const TopColumn> all = top_columns(options_.table);
        auto column = std::ranges::find_if(all, [&](const TopColumn& of) { return key && of.key == key; });
        if (column == all.end()) return;
        options_.sort = static_cast<std::size_t>(column - all.begin());
    }
    layout();
    if (column_is_unread()) hurry_ = !paused_;
    arrange();
  }

  // Hit ratios are read only while they are shown.
  bool column_is_unread() const { return top_columns(options_.table)[options_.sort].show == TopColumn::kHits; }

  // A key of the filter's line.
  void type(const Key& key) {
    std::string& filter = options_.filter;
    if (key.special == Key::kEnter) mode_ = Mode::kTable;
    if (key.special == Key::kEscape) mode_ = Mode::kTable, filter.clear();
    if (key.special == Key::kErase) erase_character(filter);
    if (!key.text.empty() && static_cast<unsigned char>(key.text[0]) >= ' ') filter += key.text;
    cursor_ = 0, top_ = 0, cursor_name_.clear();
    arrange();
  }

  void draw() {
    terminal_->clear();
    int lines = terminal_->lines();
    if (mode_ == Mode::kHelp) {
      std::vector<std::string> help = top_help(options_.table);
      int shown = std::min(static_cast<int>(help.size()), lines - 1);  // the last line is the way back
      for (int i = 0; i < shown; ++i) terminal_->put(i, {help[static_cast<std::size_t>(i)]});
      terminal_->put(lines - 1, {"Any key goes back.", Look::kDim});
    } else if (tenant_) {
      TopTenant none{.name = *tenant_};
      auto room = static_cast<std::size_t>(std::max(0, lines - 1));
      int line = 0;
      for (const ScreenLine& text :
           tenant_lines(page_ ? *page_ : none, history_, static_cast<std::size_t>(terminal_->columns()), room))
        terminal_->put(line++, text);
      draw_status("Esc back  SPACE pause");
    } else if (!rows_) {
      terminal_->put(0, {"reading ..."});
      draw_status("q quit");
    } else {
      draw_table(draw_head());
      draw_status("q quit  Enter details  / filter  < > sort  TAB table");
    }
    terminal_->show();
  }

  // Returns the next line.
  int draw_head() {
    int line = 0, most = terminal_->lines() / 6;
    terminal_->put(line++, {rows_->about, Look::kBold});
    for (const Concern& concern : rows_->concerns) {
      constexpr Look kLooks[] = {Look::kCritical, Look::kWarning, Look::kPlain};
      std::string text = severity_name(concern.severity) + (": " + concern.text);
      if (line <= most) terminal_->put(line++, {text, kLooks[static_cast<std::size_t>(concern.severity)]});
    }
    for (const std::string& note : rows_->notes)
      if (line <= most + 1) terminal_->put(line++, {note, Look::kPlain});
    return line;
  }

  void draw_table(int line) {
    layout();
    terminal_->put(line++, {top_heading(layout_, options_), Look::kHeading});
    terminal_->put(line++, {top_line(layout_, options_.table, total_, NAN), Look::kBold});
    int rows = static_cast<int>(order_.size());
    room_ = std::max(0, terminal_->lines() - 1 - line);
    cursor_ = std::clamp(cursor_, 0, std::max(0, rows - 1));
    top_ = std::clamp(top_, std::max(0, cursor_ - room_ + 1), cursor_);
    top_ = std::min(top_, std::max(0, rows - room_));
    if (rows == 0) terminal_->put(line, {"nothing matches; Esc shows all"});
    for (int i = top_; i < std::min(rows, top_ + room_); ++i, ++line) {
      const TopRow& row = rows_->rows[order_[static_cast<std::size_t>(i)]];
      std::string text = top_line(layout_, options_.table, row, whole_);
      Look look = i == cursor_ ? Look::kCursor : is_own(row.kind) ? Look::kDim : Look::kPlain;
      terminal_->put(line, {text, look});
      if (layout_.bar && look == Look::kPlain) terminal_->colour_bar(line, layout_.bar_at, layout_.bar);
    }
  }

  // The last line: what matters most comes first, and how to get help is always at its end.
  void draw_status(const std::string& keys) {
    std::string text = paused_ ? "PAUSED  " : "";
    if (!message_.empty()) text += message_ + "  ";
    if (!tenant_ && (mode_ == Mode::kFilter || !options_.filter.empty()))
      text += "filter: " + shown_filter(options_.filter) + (mode_ == Mode::kFilter ? "_  " : "  ");
    if (!tenant_ && rows_ && !order_.empty()) {
      auto first = static_cast<std::size_t>(top_),
           last = std::min(order_.size(), first + static_cast<std::size_t>(room_));
      text += "rows " + grouped(first + 1) + "–" + grouped(last) + " of " + grouped(order_.size()) + "  ";
    }
    text += keys;
    auto columns = static_cast<std::size_t>(terminal_->columns()), help = std::string_view(kHelpKey).size();
    std::size_t room = columns > help + 2 ? columns - help - 2 : 0;
    auto width = [](const std::string& of) {
      return std::ranges::count_if(of, [](char c) { return (c & 0xC0) != 0x80; });
    };
    while (static_cast<std::size_t>(width(text)) > room) erase_character(text);
    text.append(room - static_cast<std::size_t>(width(text)) + 2, ' ');
    terminal_->put(terminal_->lines() - 1, {text + kHelpKey, Look::kDim});
  }

  TopReader reader_;
  TopOptions options_;
  std::chrono::duration<double> delay_;
  std::uint64_t frames_, shown_ = 0;
  std::optional<Terminal> terminal_{std::in_place};
  std::future<Read> reading_;
  Deadline next_{};
  bool hurry_ = true;  // reads at once, also while it is paused

  std::optional<TopRows> rows_;  // of options_.table
  std::vector<std::uint32_t> order_;
  TopRow total_;
  double whole_ = NAN;
  std::size_t longest_ = 0;
  TopLayout layout_;
  int cursor_ = 0, top_ = 0, room_ = 0;  // rows: the cursor's, the first that is shown, how many fit
  std::string cursor_name_;              // whom the cursor stays with; empty: whoever is first

  std::optional<std::string> tenant_;  // whose page is shown
  std::optional<TopTenant> page_;
  TopHistory history_;

  Mode mode_ = Mode::kTable;
  std::string message_;
  bool paused_ = false, leaving_ = false;
};

}  // namespace

void run_top_screen(Fleet& fleet, TopOptions options, std::chrono::duration<double> delay, std::uint64_t frames) {
  Screen(fleet, std::move(options), delay, frames).run();
}

}  // namespace tenants::tool
