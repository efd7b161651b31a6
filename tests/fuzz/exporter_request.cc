// Requests to the exporter. Any bytes get one well-formed response with the headers that every response has, and
// nothing without the password; a request made of parts gets the status and the compression that its parts ask for.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <vector>

#include "tests/fuzz/input.h"
#include "tool/exporter/site.h"
#include "tool/web/view.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

constexpr const char* kHash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";  // of "secret"
constexpr const char* kRight = "Basic b3BzOnNlY3JldA==";                                       // ops:secret

struct Exporter {
  Scraper scraper{{}, std::chrono::milliseconds(100), {.prefixes = true}};
  Site site{scraper, {}};
  HttpServer server;
  Exporter() {
    site.set_users({{"ops", kHash}});
    site.install(server);
  }
};

struct Response {
  int status = 0;
  std::multimap<std::string, std::string> headers;
  std::string body;
};

// Of all bytes: nothing may come after the body.
Response parse(std::string_view bytes, bool head) {
  Response response;
  std::size_t end = bytes.find("\r\n\r\n");
  require(end != std::string_view::npos && bytes.starts_with("HTTP/1.1 "));
  std::from_chars(bytes.data() + 9, bytes.data() + 12, response.status);
  response.body = bytes.substr(end + 4);
  std::string_view lines = bytes.substr(bytes.find("\r\n"), end - bytes.find("\r\n"));
  while (!lines.empty()) {
    lines.remove_prefix(2);
    std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size());
    std::size_t colon = line.find(": ");
    require(colon != std::string_view::npos);
    require(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }));
    response.headers.emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  for (const char* always : {"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"})
    require(response.headers.count(always) == 1);
  require(response.headers.count("Content-Length") == 1);
  std::string length = response.headers.find("Content-Length")->second;
  require(head ? response.body.empty() : length == std::to_string(response.body.size()));
  static const std::set<int> kStatuses{200, 400, 401, 404, 405, 413, 414, 415, 416, 417, 505};
  require(kStatuses.contains(response.status));
  return response;
}

void any_bytes(HttpServer& server, Input& input) {
  std::string bytes = input.ConsumeRemainingBytesAsString();
  bytes.resize(std::min(bytes.size(), bytes.find("\r\n\r\n")));
  std::string response = server.answer(bytes + "\r\n\r\n", "127.0.0.1").first;
  if (response.starts_with("HTTP/1.1 100 Continue\r\n\r\n")) response.erase(0, 25);  // to Expect: 100-continue
  std::size_t method = std::min(bytes.find_first_not_of(' '), bytes.size());         // the parser passes over spaces
  Response parsed = parse(response, bytes.compare(method, 5, "HEAD ") == 0);
  if (parsed.status == 200) require(bytes.find(kRight + 6) != std::string::npos);
}

using Values = std::vector<std::string>;
const std::map<std::string, Values> kGood{
    {"table", {"", "tenants", "prefixes"}},
    {"order", {"", "asc", "desc"}},
    {"format", {"", "html", "json", "csv"}},
    {"top", {"1", "200", "1000000"}},
    {"sort", {"memory", "keys"}},
    {"q", {"", "a", "%3Cscript%3E", "%00", "+"}},
};
const Values kBad{"0", "1000001", "-1", "18446744073709551617", "TENANTS", "memory%00", "1%0d%0aX:y", "x", "all%20"};

template <typename Container>
const auto& pick(Input& input, const Container& from) {
  return *std::next(from.begin(), input.ConsumeIntegralInRange<long>(0, static_cast<long>(from.size()) - 1));
}

// What the page or the metrics must say to these parameters, of which the first of a name counts.
bool good(const std::string& path, const std::vector<std::pair<std::string, std::string>>& parameters) {
  if (path == "/-/healthy") return true;
  std::map<std::string, std::string> first;
  for (const auto& [name, value] : parameters) first.emplace(name, value);
  for (const auto& [name, value] : first) {
    bool known = kGood.contains(name) && (path == "/tenants" || name == "top");
    bool all = name == "top" && value == "all" && path == "/tenants";
    if (!known || !(all || name == "q" || std::ranges::count(kGood.at(name), value))) return false;
  }
  return true;
}

// Element of Accept-Encoding, and whether it says gzip is taken.
const std::vector<std::pair<std::string, bool>> kGzip{
    {"gzip", true},           {"GZIP", true},           {"x-gzip", true},
    {"gzip;q=1", true},       {"gzip ; q=0.001", true}, {"gzip;q=0", false},
    {"gzip; q=0.000", false}, {"gzip;Q=0.0", false},    {" gzip;q=0.", false},
};
const Values kOthers{"identity", "br;q=1.0", "deflate", "notgzip", "gzipped", "", "identity;q=0", "br;gzip"};

void parts(HttpServer& server, Input& input) {
  static const Values kMethods{"GET", "GET", "GET", "HEAD", "POST", "OPTIONS"};
  static const Values kPaths{"/tenants", "/metrics", "/-/healthy", "/nowhere", "/tenants/", "//metrics"};
  std::string method = pick(input, kMethods), path = pick(input, kPaths), target = path;
  std::vector<std::pair<std::string, std::string>> parameters;
  for (int i = input.ConsumeIntegralInRange(0, 4); i > 0; --i) {
    const auto& [known_name, values] = pick(input, kGood);
    std::string name = input.ConsumeIntegralInRange(0, 9) == 0 ? "target" : known_name;
    std::string value = input.ConsumeBool() ? pick(input, values) : input.ConsumeBool() ? "all" : pick(input, kBad);
    if (std::ranges::count(parameters, std::pair(name, value))) continue;
    target.append(parameters.empty() ? "?" : "&").append(name).append("=").append(value);
    parameters.emplace_back(name, value);
  }
  bool known = path == "/tenants" || path == "/metrics" || path == "/-/healthy";
  std::string request = method + " " + target + " HTTP/1.1\r\n";
  bool let_in = input.ConsumeIntegralInRange(0, 9) > 0, gzip = false, told = false;
  if (let_in) request += std::string("Authorization: ") + kRight + "\r\n";
  if (input.ConsumeBool()) {
    request += "Accept-Encoding: ";
    for (int i = input.ConsumeIntegralInRange(0, 3); i >= 0; --i) {
      bool other = told || input.ConsumeBool();
      const auto& [element, takes] = pick(input, kGzip);
      if (!other) gzip = takes, told = true;
      request += (other ? pick(input, kOthers) : element) + (i ? "," : "\r\n");
    }
  }
  if (input.ConsumeBool())
    request += "X-Prometheus-Scrape-Timeout-Seconds: " + word(input, "0123456789.e-+nif", 8) + "\r\n";
  Response response = parse(server.answer(request + "\r\n", "127.0.0.1").first, method == "HEAD");
  bool reads = method == "GET" || method == "HEAD";
  int expected = !let_in ? 401 : !reads ? 405 : !known ? 404 : good(path, parameters) ? 200 : 400;
  require(response.status == expected);
  if (method == "GET" && expected == 200 && path == "/metrics")
    require((response.headers.count("Content-Encoding") == 1) == gzip);
  if (!gzip) require(!response.headers.contains("Content-Encoding"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Exporter exporter;
  Input input(data, size);
  if (input.ConsumeBool())
    any_bytes(exporter.server, input);
  else
    parts(exporter.server, input);
  return 0;
}
