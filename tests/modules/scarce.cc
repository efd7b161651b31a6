// The allocator of scarce.so: the module as it is, except that allocations fail when a test wants them to. Takes the
// place of server_api/allocator.cc.
//
// The environment's SCARCE names a file of three 64-bit numbers, which the test writes while the server runs:
// allocations so far; the one that fails; and that every one fails whose number is a multiple of this. 0: none does.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "server_api/allocator.h"
#include "server_api/api.h"

namespace {

struct Plan {
  std::uint64_t count, failing, every;
};

Plan* map_plan() {
  const char* path = std::getenv("SCARCE");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) std::abort();
  void* memory = mmap(nullptr, sizeof(Plan), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<Plan*>(memory);
}

volatile Plan& plan() {
  static Plan* const mapped = map_plan();
  return *mapped;
}

bool refused() {
  std::uint64_t number = plan().count + 1;
  plan().count = number;
  return number == plan().failing || (plan().every && number % plan().every == 0);
}

std::size_t allocated = 0;

}  // namespace

std::size_t server_api::allocated_bytes() { return allocated; }

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* memory = refused() ? nullptr : server_api::api.TryAlloc(size ? size : 1);
  if (memory) allocated += server_api::api.MallocSize(memory);
  return memory;
}

void operator delete(void* memory) noexcept {
  if (!memory) return;
  allocated -= server_api::api.MallocSize(memory);
  server_api::api.Free(memory);
}
