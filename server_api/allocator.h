#pragma once

#include <cstddef>

namespace server_api {

// Bytes the module holds from the server's allocator now. O(1).
std::size_t allocated_bytes();

}  // namespace server_api
