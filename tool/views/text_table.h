// Columns of text, aligned: the first to the left, all others to the right.
#pragma once

#include <string>
#include <vector>

namespace tenants::tool {

struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::size_t left = 1;  // how many of the first columns are aligned to the left

  // One line per row. With a `width` other than 0 no line is longer: the first column is cut, which a `+` tells, then
  // the last columns are left out.
  std::string text(std::size_t width) const;
  // The same, but what there is no room for follows below, with the first column again.
  std::string wrapped(std::size_t width) const;

 private:
  // How wide each column is, and how many there is room for.
  std::pair<std::vector<std::size_t>, std::size_t> fit(std::size_t width) const;
};

// Two texts side by side, so far apart; `left` is so wide.
std::string beside(const std::string& left, const std::string& right, std::size_t apart);
// The longest line, in characters.
std::size_t width_of_text(const std::string& text);

// Cut to so many characters; the last one is `+` then. Names are ASCII here, a byte is a character.
std::string cut(const std::string& text, std::size_t width);

}  // namespace tenants::tool
