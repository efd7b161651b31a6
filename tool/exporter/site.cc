#include "tool/exporter/site.h"

#include <algorithm>
#include <initializer_list>
#include <stdexcept>

#include "module/accounting/number.h"
#include "tool/fleet/attention.h"
#include "tool/snapshot/sum.h"
#include "tool/web/assets.h"
#include "tool/web/download.h"
#include "tool/web/front.h"
#include "tool/web/page.h"
#include "tool/web/shell.h"
#include "tool/web/tenant_page.h"

namespace tenants::tool {

namespace {

using httplib::Headers;
using std::chrono::milliseconds;

constexpr std::size_t kMostSelections = 8, kMostTop = 1'000'000;
constexpr milliseconds kReserve{500};  // of Prometheus' patience, for the page and its way
constexpr const char *kText = "text/plain; charset=utf-8", *kHtml = "text/html; charset=utf-8";
constexpr const char* kBusy = "the reading that is under way takes too long, try again";

const Headers kHeaders{
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; "
     "form-action 'self'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
};

struct BadRequest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void refuse(httplib::Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(why + "\n", kText);
}

void allow_only(const httplib::Request& request, std::initializer_list<const char*> names) {
  std::string all;
  for (const char* name : names) all.append(all.empty() ? "" : ", ").append(name);
  for (const auto& [name, value] : request.params)
    if (std::ranges::none_of(names, [&name = name](const char* each) { return name == each; }))
      throw BadRequest("unknown parameter, allowed are " + all);
}

std::size_t read_top(const httplib::Request& request, std::size_t otherwise, bool or_all) {
  if (!request.has_param("top")) return otherwise;
  std::string text = request.get_param_value("top");
  if (or_all && text == "all") return web::Request::kAll;
  auto value = number_in<std::size_t>(text);
  if (!value || *value == 0 || *value > kMostTop)
    throw BadRequest(std::string("invalid top, allowed are 1 to 1000000") + (or_all ? " and all" : ""));
  return *value;
}

// The value of a parameter as one of these; the first where it isn't there.
template <typename Value>
Value one_of(const httplib::Request& request, const char* name,
             std::initializer_list<std::pair<const char*, Value>> allowed) {
  std::string text = request.get_param_value(name), all;
  if (text.empty()) return allowed.begin()->second;
  for (const auto& [each, value] : allowed) {
    if (text == each) return value;
    all.append(all.empty() ? "" : ", ").append(each);
  }
  throw BadRequest(std::string("invalid ") + name + ", allowed are " + all);
}

web::Request read_page(const httplib::Request& request, bool prefixes) {
  using Format = web::Request::Format;
  allow_only(request, {"table", "sort", "order", "q", "top", "format"});
  web::Request page;
  page.table = one_of<Table>(request, "table", {{"tenants", Table::kTenants}, {"prefixes", Table::kPrefixes}});
  if (page.table == Table::kPrefixes && !prefixes) throw BadRequest("prefixes are off: --no-collect.prefixes");
  page.format =
      one_of<Format>(request, "format", {{"html", Format::kHtml}, {"json", Format::kJson}, {"csv", Format::kCsv}});
  std::string wanted = request.has_param("sort") ? request.get_param_value("sort") : "memory", all;
  for (const web::PageColumn& column : web::page_columns(page.table)) {
    if (wanted == column.id) page.sort = &column;
    all.append(all.empty() ? "" : ", ").append(column.id);
  }
  if (!page.sort) throw BadRequest("invalid sort, allowed are " + all);
  page.ascending = one_of<bool>(request, "order", {{"desc", false}, {"asc", true}});
  page.search = request.get_param_value("q");
  std::size_t top = page.format == Format::kHtml ? web::Request::kDefaultTop : web::Request::kAll;
  page.top = read_top(request, top, true);
  return page;
}

// Prometheus says how long it will wait.
milliseconds patience(const httplib::Request& request) {
  auto seconds = number_in<double>(request.get_header_value("X-Prometheus-Scrape-Timeout-Seconds"));
  if (!seconds || !(*seconds > 0)) return milliseconds::max();
  auto all = milliseconds(static_cast<long long>(std::min(*seconds, 3600.0) * 1000));
  return std::max(all - kReserve, all / 2);
}

HttpServer::Handler fixed(std::string text, std::string type) {
  return [text = std::move(text), type = std::move(type)](const httplib::Request&, httplib::Response& response) {
    response.set_content(text, type);
  };
}

// What is wrong with a request is said to who sent it.
template <typename Method>
HttpServer::Handler answer(Method method) {
  return [method](const httplib::Request& request, httplib::Response& response) {
    response.set_header("Cache-Control", "no-store");
    try {
      method(request, response);
    } catch (const BadRequest& wrong) {
      refuse(response, 400, wrong.what());
    }
  };
}

}  // namespace

Site::Site(Scraper& scraper, const SiteOptions& options, const History* history, Inquirer* inquirer)
    : scraper_(scraper), options_(options), history_(history), inquirer_(inquirer) {}

void Site::set_users(const std::map<std::string, std::string>& users) {
  auto passwords = users.empty() ? nullptr : std::make_shared<Passwords>(users);
  std::lock_guard lock(mutex_);
  passwords_ = std::move(passwords);
}

void Site::install(HttpServer& server) {
  server_ = &server;
  server.always_send(kHeaders);
  server.admit([this](const auto& request, auto& response) { return admit(request, response); });
  server.on("/page.css", fixed(web::style(), "text/css; charset=utf-8"));
  std::string script(web::assets::kUplotJs);
  server.on("/page.js", fixed(script.append("\n").append(web::assets::kPageJs), "text/javascript; charset=utf-8"));
  server.on("/-/healthy", fixed("healthy\n", kText));
  server.on("/-/ready", answer([this](const auto& request, auto& response) { ready(request, response); }));
  server.on("/", answer([this](const auto& request, auto& response) { front(request, response); }));
  server.on_all_below("/tenants/", answer([this](const auto& request, auto& response) { tenant(request, response); }));
  server.on("/tenants", answer([this](const auto& request, auto& response) { tenants(request, response); }));
  server.on(options_.metrics_path, answer([this](const auto& request, auto& response) { metrics(request, response); }));
}

bool Site::admit(const httplib::Request& request, httplib::Response& response) {
  std::unique_lock lock(mutex_);
  std::shared_ptr<Passwords> passwords = passwords_;
  lock.unlock();
  if (!passwords || passwords->accept(request.get_header_value("Authorization"))) return true;
  response.set_header("WWW-Authenticate", "Basic realm=\"valkey-tenants\", charset=\"UTF-8\"");
  refuse(response, 401, "who are you?");
  return false;
}

std::shared_ptr<Site::Selections> Site::selections(std::size_t most) {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(selections_, most, [](const auto& each) { return each->most; });
  if (found == selections_.end()) {
    selections_.push_front(std::make_shared<Selections>(most, options_.max_prefixes));
    if (selections_.size() > kMostSelections) selections_.pop_back();
  } else {
    selections_.splice(selections_.begin(), selections_, found);
  }
  return selections_.front();
}

void Site::metrics(const httplib::Request& request, httplib::Response& response) {
  allow_only(request, {"top"});
  std::size_t most = read_top(request, options_.max_tenants, false);
  SharedReading reading = scraper_.read(patience(request));
  if (!reading) return refuse(response, 503, "the reading that is under way takes longer than this scrape may");
  std::shared_ptr<Selections> chosen = selections(most);
  response.set_content(
      metrics_text(reading, chosen->tenants, options_.prefixes ? &chosen->prefixes : nullptr, server_->refused()),
      "text/plain; version=0.0.4; charset=utf-8");
}

void Site::ready(const httplib::Request&, httplib::Response& response) {
  if (!scraper_.has_answered()) scraper_.read();
  if (scraper_.has_answered()) return response.set_content("ready\n", kText);
  refuse(response, 503, "no server has answered yet");
}

void Site::front(const httplib::Request& request, httplib::Response& response) {
  allow_only(request, {});
  SharedReading reading = scraper_.read();
  if (!reading) return refuse(response, 503, kBusy);
  web::Request all{.table = Table::kTenants, .sort = &web::page_columns(Table::kTenants)[0], .top = web::Request::kAll};
  SharedReading before = scraper_.before(*reading);
  std::shared_ptr<const RecentAnswer> recent = inquirer_ ? inquirer_->recent() : nullptr;
  web::View view = web::view(reading, before, all, recent ? &recent->recent : nullptr);
  std::optional<Snapshot> grown;
  if (before) grown = growth(before->snapshot, reading->snapshot);
  std::string unknown;
  if (recent && recent->denied)
    unknown =
        "Which tenant grows is not known: the ACL of the exporter's user does not have <code>+tenants.top</code>.";
  response.set_content(web::front_page({.view = view,
                                        .concerns = attention({.now = reading->snapshot,
                                                               .recent = recent ? recent->recent : Recent{},
                                                               .grown = grown ? &*grown : nullptr,
                                                               .grown_seconds = view.seconds}),
                                        .unknown = unknown,
                                        .history = history_,
                                        .metrics_path = options_.metrics_path}),
                       kHtml);
}

void Site::tenants(const httplib::Request& request, httplib::Response& response) {
  web::Request page = read_page(request, options_.prefixes);
  SharedReading reading = scraper_.read();
  if (!reading) return refuse(response, 503, kBusy);
  std::shared_ptr<const RecentAnswer> recent =
      inquirer_ && page.table == Table::kTenants ? inquirer_->recent() : nullptr;
  web::View view = web::view(reading, scraper_.before(*reading), page, recent ? &recent->recent : nullptr);
  switch (page.format) {
    case web::Request::Format::kHtml:
      return response.set_content(web::page(view, page, history_), kHtml);
    case web::Request::Format::kJson:
      return response.set_content(web::json(view, page), "application/json");
    case web::Request::Format::kCsv:
      response.set_header("Content-Disposition", "attachment; filename=\"tenants.csv\"");
      return response.set_content(web::csv(view, page), "text/csv; charset=utf-8");
  }
}

// /tenants/NAME, and /tenants/?name=NAME for the names that are a folder to a browser.
void Site::tenant(const httplib::Request& request, httplib::Response& response) {
  constexpr std::size_t kFolder = std::string_view("/tenants/").size(), kMostName = 1024;
  std::string name = request.path.substr(kFolder);
  bool in_path = !name.empty();
  if (!in_path && !request.has_param("name")) return refuse(response, 404, "not found, see /");
  if (in_path)
    allow_only(request, {"format"});
  else
    allow_only(request, {"format", "name"});
  if (!in_path) name = request.get_param_value("name");
  bool json = one_of<bool>(request, "format", {{"html", false}, {"json", true}});

  SharedReading reading = scraper_.read(), before;
  if (!reading) return refuse(response, 503, kBusy);
  before = scraper_.before(*reading);
  auto view = [&](Table table) {
    return web::view(reading, before,
                     {.table = table,
                      .sort = &web::page_columns(table)[table == Table::kTenants ? 1 : 2],
                      .top = web::Request::kAll,
                      .only = name});
  };
  web::View tenant = view(Table::kTenants);
  std::optional<web::View> prefixes;
  if (options_.prefixes) prefixes = view(Table::kPrefixes);
  std::shared_ptr<const TenantAnswer> answer;
  if (inquirer_ && name.size() <= kMostName) answer = inquirer_->tenant(name);
  bool known = !tenant.lines.empty() || (answer && answer->known && !is_own(answer->details.tenant.kind));
  if (!known) {
    response.status = 404;
    if (json) return refuse(response, 404, "no such tenant");
    return response.set_content(web::no_tenant_page(name), kHtml);
  }
  web::TenantParameters of{.name = name,
                           .tenant = tenant,
                           .prefixes = prefixes ? &*prefixes : nullptr,
                           .history = history_,
                           .answer = answer.get(),
                           .keys = inquirer_ && inquirer_->reads_keys()};
  if (json) return response.set_content(web::tenant_json(of), "application/json");
  response.set_content(web::tenant_page(of), kHtml);
}

}  // namespace tenants::tool
