#include "module/accounting/clients.h"

#include <algorithm>

namespace tenants {

void Transaction::add(std::uint16_t command) {
  std::vector<Item>& items = made();
  auto found = std::find_if(items.rbegin(), items.rend(),
                            [&](const Item& item) { return item.command == command || item.command == kEndOfPart; });
  if (found != items.rend() && found->command == command)
    ++found->times;
  else
    items.push_back({command, 1});
}

// The memory is kept for the next transaction, unless it is much.
void Transaction::clear() {
  constexpr std::size_t kKept = 64;
  if (!items_) return;
  items_->clear();
  if (items_->capacity() > kKept) items_.reset();
}

}  // namespace tenants
