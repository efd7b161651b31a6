// The terminal as `top` uses it: lines that are put somewhere, and keys. All of ncurses is behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tenants::tool {

enum class Look : std::uint8_t { kPlain, kHeading, kBold, kDim, kCursor, kWarning, kCritical };

struct ScreenLine {
  std::string text;
  Look look = Look::kPlain;
};

// A key: a character, or one of these.
struct Key {
  enum Special : std::uint8_t { kNone, kUp, kDown, kPageUp, kPageDown, kHome, kEnd, kEnter, kErase, kEscape, kResize };
  Special special = kNone;
  std::string text;  // of a character, UTF-8
  char letter() const { return text.size() == 1 ? text[0] : '\0'; }
};

// One at a time. The terminal is given back whatever happens.
class Terminal {
 public:
  // Throws Failure kError where the terminal cannot move its cursor.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  int lines() const;
  int columns() const;
  void clear();
  // Cut to the screen. The cursor's line is filled up to its end. Nothing where there is no such line.
  void put(int line, const ScreenLine& text);
  // `count` characters of a line from a column on in the colour of bars, if there are colours.
  void colour_bar(int line, std::size_t column, std::size_t count);
  void show();
  // Waits so long for one; throws Failure kError where the terminal is gone.
  std::optional<Key> key(int msec);

 private:
  bool coloured_ = false;
};

}  // namespace tenants::tool
