// The YAML file of --targets. What is not known is refused with its line: a misspelt `tls` must not mean plain text.

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>

#include "tool/client/failure.h"
#include "tool/client/printable.h"
#include "tool/client/target.h"

namespace tenants::tool {

namespace {

struct File {
  const std::string& path;

  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const {
    std::string line = mark.is_null() ? "" : ":" + std::to_string(mark.line + 1);
    throw Failure(Exit::kUsage, printable(path) + line + ": " + what);
  }
  [[noreturn]] void refuse_key(const YAML::Mark& mark, const std::string& name, const std::string& of,
                               const std::string& allowed) const {
    refuse(mark, "unknown key '" + printable(name) + "' in " + of + ", allowed are " + allowed);
  }
  // yaml-cpp 0.7 marks a null value with no place: the key has one.
  std::string text(const YAML::Node& key, const YAML::Node& value) const {
    if (!value.IsScalar() || value.Scalar().empty())
      refuse(key.Mark(), "'" + printable(key.Scalar()) + "' has no value, allowed is a text");
    return value.Scalar();
  }
  bool truth(const YAML::Node& key, const YAML::Node& value) const {
    bool yes = false;
    if (!value.IsScalar() || !YAML::convert<bool>::decode(value, yes))
      refuse(key.Mark(), "'" + printable(key.Scalar()) + "' must be true or false");
    return yes;
  }

  using Reader = std::function<void(const YAML::Node& key, const YAML::Node& value)>;
  // Calls the reader of each key of a map.
  void read(const YAML::Node& map, const std::string& of, const std::map<std::string, Reader>& readers) const {
    if (!map.IsMap()) refuse(map.Mark(), of + " must be a map");
    std::string allowed;
    for (const auto& [name, reader] : readers) allowed.append(allowed.empty() ? "" : ", ").append(name);
    std::vector<std::string> seen;
    for (const auto& item : map) {
      std::string name = item.first.IsScalar() ? item.first.Scalar() : "";
      auto reader = readers.find(name);
      if (reader == readers.end()) refuse_key(item.first.Mark(), name, of, allowed);
      if (std::ranges::count(seen, name)) refuse(item.first.Mark(), "'" + printable(name) + "' is there twice");
      seen.push_back(name);
      reader->second(item.first, item.second);
    }
  }
};

void read_tls(const File& file, const YAML::Node& key, const YAML::Node& value, Tls& tls) {
  tls.enabled = true;
  if (value.IsScalar()) {  // tls: true
    tls.enabled = file.truth(key, value);
    return;
  }
  auto text_into = [&](std::string& into) {
    return [&](const YAML::Node& k, const YAML::Node& v) { into = file.text(k, v); };
  };
  file.read(value, "tls",
            {{"ca", text_into(tls.ca_file)},
             {"ca_directory", text_into(tls.ca_directory)},
             {"cert", text_into(tls.certificate)},
             {"key", text_into(tls.key)},
             {"server_name", text_into(tls.server_name)},
             {"insecure", [&](const auto& k, const auto& v) { tls.insecure = file.truth(k, v); }}});
}

// announced: here. Both with a port, or both without: then of all ports.
std::vector<Detour> read_detours(const File& file, const YAML::Node& key, const YAML::Node& map) {
  if (!map.IsMap())
    file.refuse(key.Mark(), "'addresses' must be a map, of what nodes announce to where they are reached");
  std::vector<Detour> detours;
  for (const auto& item : map) {
    std::string announced = file.text(key, item.first), here = file.text(item.first, item.second);
    Detour detour;
    try {
      detour = {parse_address(announced), parse_address(here)};
    } catch (const Failure& failure) {
      file.refuse(item.first.Mark(), failure.what());
    }
    auto names_port = [](const Address& address, const std::string& text) { return address.text() == text; };
    detour.every_port = !names_port(detour.announced, announced);
    if (!detour.announced.socket.empty() || !detour.here.socket.empty() ||
        names_port(detour.here, here) == detour.every_port)
      file.refuse(item.first.Mark(), "'addresses' has host:port to host:port, or host to host");
    detours.push_back(std::move(detour));
  }
  return detours;
}

Target read_target(const File& file, const YAML::Node& node) {
  Target target;
  bool addressed = false;
  auto text_into = [&](std::string& into) {
    return [&](const YAML::Node& k, const YAML::Node& v) { into = file.text(k, v); };
  };
  file.read(node, "a target",
            {{"address",
              [&](const auto& k, const auto& v) {
                try {
                  target.address = parse_address(file.text(k, v));
                  addressed = true;
                } catch (const Failure& failure) {
                  file.refuse(k.Mark(), failure.what());
                }
              }},
             {"cluster", [&](const auto& k, const auto& v) { target.cluster = file.truth(k, v); }},
             {"sentinel", text_into(target.sentinel)},
             {"sentinel_user", text_into(target.sentinel_login.user)},
             {"sentinel_password_file", text_into(target.sentinel_login.password_file)},
             {"addresses", [&](const auto& k, const auto& v) { target.detours = read_detours(file, k, v); }},
             {"name", text_into(target.name)},
             {"user", text_into(target.login.user)},
             {"password_file", text_into(target.login.password_file)},
             {"password_env",
              [&](const auto& k, const auto& v) {
                std::string name = file.text(k, v);
                target.login.password = secret_of_environment(name);
                if (target.login.password.empty())
                  file.refuse(k.Mark(), "the environment has no " + printable(name) + ", which password_env names");
              }},
             {"tls", [&](const auto& k, const auto& v) { read_tls(file, k, v, target.tls); }}});
  if (!addressed) file.refuse(node.Mark(), "a target needs an address");
  if (target.cluster && !target.sentinel.empty())
    file.refuse(node.Mark(), "cluster and sentinel exclude each other: a cluster fails over by itself");
  if (target.sentinel.empty() && !(target.sentinel_login.user + target.sentinel_login.password_file).empty())
    file.refuse(node.Mark(), "a login towards Sentinels needs 'sentinel', the name of their primary");
  if (!target.leads_to_others() && !target.detours.empty())
    file.refuse(node.Mark(), "addresses are those of a cluster, or of what Sentinels watch");
  if (!target.login.password.empty() && !target.login.password_file.empty())
    file.refuse(node.Mark(), "password_file and password_env exclude each other");
  return target;
}

}  // namespace

std::vector<Target> read_targets(const std::string& path) {
  File file{path};
  std::vector<Target> targets;
  try {
    file.read(YAML::LoadFile(path), "the file", {{"targets", [&](const auto& k, const auto& v) {
                                                    if (!v.IsSequence() || v.size() == 0)
                                                      file.refuse(k.Mark(), "'targets' must be a list of targets");
                                                    for (const YAML::Node& node : v)
                                                      targets.push_back(read_target(file, node));
                                                  }}});
  } catch (const YAML::BadFile&) {
    throw Failure(Exit::kUsage, "cannot read the file of targets " + printable(path));
  } catch (const YAML::Exception& error) {
    file.refuse(error.mark, printable(error.msg));
  }
  if (targets.empty()) throw Failure(Exit::kUsage, printable(path) + ": there is no 'targets'");
  return targets;
}

}  // namespace tenants::tool
