// The last ten minutes for the trends of the page: some numbers of all tenants together and of those that weigh most,
// one for each reading, in a ring. However many tenants there are, it takes at most kMostTenants × 4.5 KB (2.3 MB), and
// keeps the reading before alive.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "tool/exporter/scraper.h"

namespace tenants::tool {

class History {
 public:
  static constexpr std::size_t kSlots = 120, kMostTenants = 500;
  enum Metric : std::uint8_t { kMemory, kKeys, kConnections, kCommands, kCpu, kIn, kOut, kRefused, kMetrics };

  // One number for each reading, the oldest first; NaN where it is not known. Counters are rates per second, CPU is in
  // percent of one core; kRefused: commands that failed, were denied or rejected.
  using Series = std::vector<float>;

  // The next reading; null: there was none. Takes O(rows log rows); for one thread.
  void add(const SharedReading& reading);

  // From any thread; empty where nothing is remembered.
  Series of_all(Metric metric) const;
  Series of(const std::string& tenant, Metric metric) const;
  // Unix seconds of each slot of a series.
  std::vector<double> times() const;

 private:
  struct Track {
    std::array<std::array<float, kSlots>, kMetrics> values;
    double weight = 0;  // in the last reading: shares of all memory, commands and CPU
    Track();
  };
  using Numbers = std::array<float, kMetrics>;
  struct Tenant {
    std::string name;
    Numbers numbers;
    double weight;
  };
  std::vector<Tenant> compute(const SharedReading& reading, Numbers& total) const;
  void choose(const std::vector<Tenant>& tenants);
  Series read(const Track& track, Metric metric) const;

  SharedReading last_;
  mutable std::mutex mutex_;  // guards what follows
  std::size_t next_ = 0, filled_ = 0;
  std::array<double, kSlots> times_{};
  Track all_;
  std::unordered_map<std::string, Track> tenants_;
};

}  // namespace tenants::tool
