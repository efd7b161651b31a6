#include "server_api/growth.h"

#include "server_api/api.h"

namespace server_api {

Growth::Growth() : most_(~std::size_t{0}) {
  constexpr float kClose = 0.9F;  // of maxmemory; without one the ratio is 0
  constexpr std::size_t kAtATime = 1024;
  if (api.GetUsedMemoryRatio() > kClose) most_ = allocated_bytes() + kAtATime;
}

}  // namespace server_api
