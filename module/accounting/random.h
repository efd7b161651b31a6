// Numbers by chance, as good as estimates need, in some ns.
#pragma once

#include <cstdint>

namespace tenants {

// The next of 2⁶⁴ numbers, each of which comes once (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014). Any `state` to begin with.
inline std::uint64_t splitmix64(std::uint64_t& state) {
  std::uint64_t mixed = state += 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return mixed ^ mixed >> 31;
}

// In [0, 1).
inline double coin(std::uint64_t& state) { return static_cast<double>(splitmix64(state) >> 11) * 0x1p-53; }

}  // namespace tenants
