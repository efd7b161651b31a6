#include "server_api/growth.h"

#include "server_api/api.h"

namespace server_api {

bool is_close_to_maxmemory() {
  constexpr float kClose = 0.9F;
  return api.GetUsedMemoryRatio() > kClose;  // 0 where there is no maxmemory
}

Growth::Growth() : most_(~std::size_t{0}) {
  constexpr std::size_t kAtATime = 1024;
  if (is_close_to_maxmemory()) most_ = allocated_bytes() + kAtATime;
}

}  // namespace server_api
