// Snapshots as JSON. What is not known is left out; names are percent-escaped.
#pragma once

#include <nlohmann/json.hpp>

#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

using Json = nlohmann::ordered_json;

Json to_json(Table table, const Row& row);     // name, kind, owner, and its columns
Json nodes_to_json(const Snapshot& snapshot);  // address, up, role, or error

}  // namespace tenants::tool
