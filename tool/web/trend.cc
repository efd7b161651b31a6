#include "tool/web/trend.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "tool/web/format.h"
#include "tool/web/shell.h"

namespace tenants::tool::web {

namespace {

struct Range {
  float low, high;
};

std::optional<Range> range_of(const History::Series& series) {
  std::optional<Range> range;
  std::size_t known = 0;
  for (float value : series) {
    if (std::isnan(value)) continue;
    ++known;
    range = range ? Range{std::min(range->low, value), std::max(range->high, value)} : Range{value, value};
  }
  return known < 2 ? std::nullopt : range;
}

// Of a spark: from 0, unless that would make a line of what hardly moves; and never so near that noise looks like a
// mountain.
Range scale_of(Range range) {
  if (range.high <= 0) return {0, 1};
  if (range.low < range.high * 0.6F) return {0, range.high};
  float margin = std::max((range.high - range.low) * 0.25F, range.high * 0.02F);
  return {range.low - margin, range.high + margin};
}

// How many slots wide a picture is: as many as are known, but not so few that three look like a mountain.
std::size_t width_of(const History::Series& series) {
  return std::clamp<std::size_t>(series.size(), 24, History::kSlots);
}

// Means of `step` slots each, the newest at the right end. With `area` closed at the bottom, for a fill.
std::string path(const History::Series& series, Range scale, std::size_t step, double height, bool area) {
  std::string text;
  std::array<char, 48> part;
  std::size_t offset = width_of(series) - series.size(), first = 0, last = 0;
  bool pen = false;
  auto close = [&] {
    if (pen && area) {
      std::snprintf(part.data(), part.size(), "L%zu %.3gL%zu %.3gZ", last, height, first, height);
      text += part.data();
    }
    pen = false;
  };
  for (std::size_t i = series.size() % step; i + step <= series.size(); i += step) {
    double sum = 0;
    int known = 0;
    for (std::size_t j = i; j < i + step; ++j)
      if (!std::isnan(series[j])) sum += series[j], ++known;
    if (!known) {
      close();
      continue;
    }
    double y = height - (sum / known - scale.low) / (scale.high - scale.low) * height;
    last = offset + i + step - 1;
    if (!pen) first = last;
    std::snprintf(part.data(), part.size(), "%c%zu %.3g", pen ? 'L' : 'M', last, y);
    text += part.data();
    pen = true;
  }
  close();
  return text;
}

// The opening tag.
std::string svg(const History::Series& series, int height, const std::string& attributes) {
  return "<svg viewBox=\"0 -1 " + std::to_string(width_of(series) - 1) + " " + std::to_string(height + 2) +
         "\" preserveAspectRatio=\"none\" " + attributes + ">";
}

std::string list(const std::vector<double>& numbers, double minus) {
  std::string text;
  for (double number : numbers) {
    std::array<char, 32> one;
    std::snprintf(one.data(), one.size(), "%.6g", number - minus);
    text += (text.empty() ? "" : ",") + (std::isnan(number) ? std::string() : std::string(one.data()));
  }
  return text;
}

}  // namespace

std::string spark(const History::Series& series) {
  std::optional<Range> range = range_of(series);
  if (!range) return {};
  return svg(series, 20, "class=\"spark\" aria-hidden=\"true\"") + "<path d=\"" +
         path(series, scale_of(*range), series.size() < 60 ? 1 : 3, 20, false) + "\"/></svg>";
}

std::string chart(const Chart& chart, const std::vector<double>& times) {
  std::string text = "<figure class=\"chart\"><figcaption><span>" + chart.title + "</span>";
  std::optional<Range> range = range_of(chart.series);
  if (!range)
    return text + "<b>" + chart.shown + "</b></figcaption><div class=\"plot empty\">no trend yet</div></figure>\n";
  Range scale{0, range->high > 0 ? range->high : 1};  // an area that doesn't begin at 0 would lie
  double start = times.empty() ? 0 : std::floor(times.front());
  if (chart.now)
    range->low = std::min(range->low, float(*chart.now)), range->high = std::max(range->high, float(*chart.now));
  std::string low = format(range->low, chart.unit), high = format(range->high, chart.unit);
  bool is_bytes = chart.unit == Unit::kBytes || chart.unit == Unit::kBytesPerSecond;
  text += "<small>" + (low == high ? low : low + " … " + high) + "</small><b>" + chart.shown +
          "</b></figcaption><div class=\"plot\" data-unit=\"" +
          (is_bytes                   ? "bytes"
           : chart.unit == Unit::kCpu ? "percent"
                                      : "count") +
          "\" data-start=\"" + std::to_string(static_cast<long long>(start)) + "\" data-times=\"" + list(times, start) +
          "\" data-values=\"" + list({chart.series.begin(), chart.series.end()}, 0) + "\">";
  text += svg(chart.series, 60, "role=\"img\" aria-label=\"" + chart.title + ": from " + low + " to " + high + "\"");
  return text + "<path class=\"area\" d=\"" + path(chart.series, scale, 1, 60, true) + "\"/><path d=\"" +
         path(chart.series, scale, 1, 60, false) + "\"/></svg></div></figure>\n";
}

}  // namespace tenants::tool::web
