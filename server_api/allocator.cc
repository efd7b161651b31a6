// C++ memory comes from the server's allocator: visible in used_memory, counted towards maxmemory.
//
// The total is kept for INFO. Everything runs on the main thread, so a plain counter is enough.
#include "server_api/allocator.h"

#include <cstdlib>
#include <new>

#include "server_api/api.h"

namespace server_api {
namespace {

constinit std::size_t allocated_bytes_total = 0;

}  // namespace

std::size_t allocated_bytes() { return allocated_bytes_total; }

}  // namespace server_api

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* memory = server_api::api.TryAlloc ? server_api::api.TryAlloc(size ? size : 1) : nullptr;
  if (memory) server_api::allocated_bytes_total += server_api::api.MallocSize(memory);
  return memory;
}

void operator delete(void* memory) noexcept {
  if (!memory) return;
  server_api::allocated_bytes_total -= server_api::api.MallocSize(memory);
  server_api::api.Free(memory);
}
