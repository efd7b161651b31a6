#include "tool/exporter/inquirer.h"

#include <algorithm>
#include <utility>

namespace tenants::tool {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostWaiting = 4, kMostAnswers = 16;
constexpr auto kFresh = 1s, kDenied = 60s;

bool within(std::chrono::steady_clock::time_point at, std::chrono::seconds length) {
  return at != std::chrono::steady_clock::time_point() && std::chrono::steady_clock::now() - at < length;
}

}  // namespace

Inquirer::Inquirer(std::vector<Target> targets, std::chrono::milliseconds timeout, bool keys)
    : timeout_(timeout), keys_(keys), targets_(std::move(targets)) {}

void Inquirer::use(std::vector<Target> targets) {
  std::lock_guard lock(queue_mutex_);
  targets_ = std::move(targets);
  changed_ = true;
}

std::shared_ptr<const TenantAnswer> Inquirer::ask(const std::string& name) {
  auto answer = std::make_shared<TenantAnswer>();
  answer->get_denied = within(get_denied_, kDenied);
  answer->keys_denied = within(keys_denied_, kDenied);
  if (!answer->get_denied) {
    try {
      answer->details = read_tenant(*fleet_, name, {.trends = false, .big_keys = keys_ && !answer->keys_denied});
      answer->known = answer->details.nodes.nodes_up() > 0;
      answer->keys_denied |= answer->details.big_keys_denied;
      if (answer->details.big_keys_denied) keys_denied_ = std::chrono::steady_clock::now();
    } catch (const Failure& failure) {
      answer->get_denied = failure.code == Exit::kDenied;
      answer->failure = failure.what();
      if (answer->get_denied) get_denied_ = std::chrono::steady_clock::now();
    }
    // The module can't be unloaded while a client's last command is one of its own.
    fleet_->ask({{"INFO", "replication"}});
  }
  answer->at = std::chrono::steady_clock::now();
  return answer;
}

std::shared_ptr<const TenantAnswer> Inquirer::tenant(const std::string& name) {
  {
    std::lock_guard lock(queue_mutex_);
    if (waiting_ >= kMostWaiting) return nullptr;
    ++waiting_;
  }
  struct Leave {
    Inquirer& reader;
    ~Leave() {
      std::lock_guard lock(reader.queue_mutex_);
      --reader.waiting_;
    }
  } leave{*this};
  std::lock_guard lock(mutex_);
  {
    std::lock_guard queue_lock(queue_mutex_);
    if (std::exchange(changed_, false)) {
      fleet_ = std::make_unique<Fleet>(targets_, timeout_);
      answers_.clear();
      get_denied_ = keys_denied_ = {};
    }
  }
  std::erase_if(answers_, [](const auto& each) { return !within(each.second->at, kFresh); });
  auto found = std::ranges::find(answers_, name, [](const auto& each) { return each.first; });
  if (found != answers_.end()) return found->second;
  auto answer = ask(name);
  answers_.emplace_back(name, answer);
  if (answers_.size() > kMostAnswers) answers_.pop_front();
  return answer;
}

}  // namespace tenants::tool
