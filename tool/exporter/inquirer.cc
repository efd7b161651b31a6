#include "tool/exporter/inquirer.h"

#include <algorithm>
#include <utility>

namespace tenants::tool {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostWaiting = 4, kMostAnswers = 16;
constexpr auto kFresh = 1s;

bool is_fresh(std::chrono::steady_clock::time_point at) { return std::chrono::steady_clock::now() - at < kFresh; }

}  // namespace

Inquirer::Inquirer(std::vector<Target> targets, std::chrono::milliseconds timeout, bool keys)
    : timeout_(timeout), keys_(keys), targets_(std::move(targets)) {}

void Inquirer::use(std::vector<Target> targets) {
  std::lock_guard lock(queue_mutex_);
  targets_ = std::move(targets);
  changed_ = true;
}

void Inquirer::ask_again() {
  std::lock_guard lock(queue_mutex_);
  changed_ = true;
}

std::shared_ptr<const TenantAnswer> Inquirer::ask_tenant(const std::string& name) {
  auto answer = std::make_shared<TenantAnswer>();
  answer->get_denied = get_denied_;
  answer->keys_denied = keys_denied_;
  if (!answer->get_denied) {
    try {
      answer->details = read_tenant(*fleet_, name, keys_ && !answer->keys_denied);
      answer->known = answer->details.nodes.nodes_up() > 0;
      answer->keys_denied |= answer->details.big_keys_denied;
      keys_denied_ = answer->keys_denied;
    } catch (const Failure& failure) {
      answer->get_denied = failure.code == Exit::kDenied;
      answer->failure = failure.what();
      get_denied_ = answer->get_denied;
    }
    // The module can't be unloaded while a client's last command is one of its own.
    fleet_->ask({{"INFO", "replication"}});
  }
  answer->at = std::chrono::steady_clock::now();
  return answer;
}

std::shared_ptr<const RecentAnswer> Inquirer::ask_recent() {
  auto answer = std::make_shared<RecentAnswer>();
  answer->denied = top_denied_;
  if (!answer->denied) {
    fleet_->read({.tenants = false});
    try {
      answer->recent = read_recent(*fleet_, kMostWindowRows);
    } catch (const Failure& failure) {
      answer->denied = failure.code == Exit::kDenied;
      top_denied_ = answer->denied;
    }
    fleet_->ask({{"INFO", "replication"}});  // as above
  }
  answer->at = std::chrono::steady_clock::now();
  return answer;
}

// Null: too many wait.
template <typename Ask>
auto Inquirer::in_turn(Ask ask) -> decltype(ask()) {
  {
    std::lock_guard lock(queue_mutex_);
    if (waiting_ >= kMostWaiting) return nullptr;
    ++waiting_;
  }
  struct Leave {
    Inquirer& inquirer;
    ~Leave() {
      std::lock_guard lock(inquirer.queue_mutex_);
      --inquirer.waiting_;
    }
  } leave{*this};
  std::lock_guard lock(mutex_);
  {
    std::lock_guard queue_lock(queue_mutex_);
    if (std::exchange(changed_, false)) {
      fleet_ = std::make_unique<Fleet>(targets_, timeout_);
      answers_.clear();
      recent_ = nullptr;
      get_denied_ = keys_denied_ = top_denied_ = false;
    }
  }
  return ask();
}

std::shared_ptr<const TenantAnswer> Inquirer::tenant(const std::string& name) {
  return in_turn([&]() -> std::shared_ptr<const TenantAnswer> {
    std::erase_if(answers_, [](const auto& each) { return !is_fresh(each.second->at); });
    auto found = std::ranges::find(answers_, name, [](const auto& each) { return each.first; });
    if (found != answers_.end()) return found->second;
    auto answer = ask_tenant(name);
    answers_.emplace_back(name, answer);
    if (answers_.size() > kMostAnswers) answers_.pop_front();
    return answer;
  });
}

std::shared_ptr<const RecentAnswer> Inquirer::recent() {
  return in_turn([&] {
    if (!recent_ || !is_fresh(recent_->at)) recent_ = ask_recent();
    return recent_;
  });
}

}  // namespace tenants::tool
