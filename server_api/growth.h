#pragma once

#include <cstddef>

#include "server_api/allocator.h"

namespace server_api {

// Has the server taken more than nine tenths of its maxmemory? O(1).
bool is_close_to_maxmemory();

// How much more the module may take in one go. A server some kB below its maxmemory, with nothing that it may evict,
// refuses the next write when something else grows by more: from nine tenths of it on we grow by 1 kB at a time, so
// that clients feel it as if another one had written. O(1).
class Growth {
 public:
  Growth();
  bool used_up() const { return allocated_bytes() >= most_; }

 private:
  std::size_t most_;
};

}  // namespace server_api
