// "did you mean": the one word that somebody who mistyped another most likely meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tenants::tool {

// The word nearest to `typed`, if it is near: a third of its letters may be wrong, missing, too many or swapped with
// their neighbour; whatever the case. The first of equals. O(words × length²), with lengths up to 64.
std::optional<std::string> nearest(std::string_view typed, std::span<const std::string> words);

// ", did you mean shop?", or nothing.
std::string did_you_mean(std::string_view typed, std::span<const std::string> words);

// A name as somebody typed it, for a message: what is no printable ASCII as %XX, and not too long.
std::string escape_for_message(std::string_view typed);

}  // namespace tenants::tool
