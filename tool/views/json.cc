#include "tool/views/json.h"

#include "tool/client/printable.h"

namespace tenants::tool {

Json to_json(Table table, const Row& row) {
  Json json{{"name", shown_name(row)}, {"kind", kind_name(row.kind)}};
  if (!row.owner.empty()) json[table == Table::kUsers ? "tenant" : "owner"] = shown_owner(row);
  for (std::size_t i = 0; i < columns(table).size(); ++i) {
    if (row.values[i] == kAbsent) continue;
    const Column& column = columns(table)[i];
    if (column.kind == Column::kShare)
      json[column.name] = static_cast<double>(row.values[i]) / 1000;
    else
      json[column.name] = row.values[i];
  }
  return json;
}

Json nodes_to_json(const Snapshot& snapshot) {
  Json nodes = Json::array();
  for (const Node& node : snapshot.nodes) {
    Json json{{"address", printable(node.address)}, {"up", node.up}};
    if (!node.group.empty()) json["cluster"] = printable(node.group);
    if (node.slots) json["slots"] = node.slots;
    if (!node.up) {
      json["error"] = node.failure.what();
      if (node.answered)
        json["last_answer_seconds"] = std::chrono::duration<double>(snapshot.taken - *node.answered).count();
    } else {
      json["role"] = role_name(node.role);
      json["data_source"] = node.data_source;
      if (const Node* source = source_of(snapshot, node)) {
        Lag behind = lag(*source, node);
        json["copy_of"] = printable(source->address);
        if (behind.bytes) json["lag_bytes"] = *behind.bytes;
        if (behind.keys) json["lag_keys"] = *behind.keys;
      }
      if (node.used_memory != kAbsent) json["used_memory_bytes"] = node.used_memory;
      if (node.max_memory != kAbsent) json["max_memory_bytes"] = node.max_memory;
    }
    nodes.push_back(std::move(json));
  }
  return nodes;
}

}  // namespace tenants::tool
