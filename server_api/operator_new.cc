// All forms of operator new and delete over two: the one of allocator.cc, or of a test, that may find no memory, and
// the one that gives it back. Types with an alignment of their own (cache lines are kept apart) come out of the same:
// libstdc++ would take their memory from libc, past the server's allocator, where nobody would see it.
#include <cstddef>
#include <cstdint>
#include <new>

namespace {

// What operator new gave stands right before what we give.
void** origin(void* memory) { return static_cast<void**>(memory) - 1; }

}  // namespace

void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return operator new(size, std::nothrow); }

void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }

void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  auto boundary = static_cast<std::size_t>(alignment);
  auto* raw = static_cast<std::byte*>(operator new(size + boundary + sizeof(void*), std::nothrow));
  if (!raw) return nullptr;
  std::size_t past = (reinterpret_cast<std::uintptr_t>(raw) + sizeof(void*)) % boundary;
  void* memory = raw + sizeof(void*) + (past ? boundary - past : 0);
  *origin(memory) = raw;
  return memory;
}

void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* memory = operator new(size, alignment, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void* operator new[](std::size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return operator new(size, alignment, std::nothrow);
}

void operator delete(void* memory, std::align_val_t) noexcept {
  if (memory) operator delete(*origin(memory));
}

void operator delete[](void* memory, std::align_val_t alignment) noexcept { operator delete(memory, alignment); }
void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  operator delete(memory, alignment);
}
void operator delete[](void* memory, std::size_t, std::align_val_t alignment) noexcept {
  operator delete(memory, alignment);
}
void operator delete(void* memory, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  operator delete(memory, alignment);
}
void operator delete[](void* memory, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  operator delete(memory, alignment);
}
