#!lua flags=no-writes,allow-stale
-- What each tenant uses, for redis_exporter's --script: a flat array of keys and numbers, all as text. Names and units are
-- those of our own exporter. A key is metric|label=value|tenant; the label and the tenant are empty where a metric has none.
-- prometheus.yml here makes metric{label="value",tenant="…"} of it.

-- EVAL runs on the main thread, some 10 µs per tenant, so only those are told who used most CPU time.
local most_tenants = 50

local reply, length = {}, 0
-- What the server cannot tell is nil, and left out.
local function add(key, value)
  if not value then return end
  reply[length + 1], reply[length + 2] = 'valkey_tenant_' .. key, tostring(value)
  length = length + 2
end

add('server_reachable||', 1)
local info = redis.call('INFO', 'memory', 'replication', 'tenants_status')
local status = {}
for field, value in info:gmatch('\ntenants_([%w_]+):([^\r]+)') do status[field] = value end
if not status.version then  -- a server without the module
  add('up||', 0)
  return reply
end
local role = info:find('\nrole:slave') and 'replica' or 'primary'
local max_memory = tonumber(info:match('\nmaxmemory:(%d+)'))
local now = tonumber(redis.call('TIME')[1])

add('up||', 1)
add('node_info|role=' .. role .. '|', 1)
add('node_data_source||', role == 'primary' and 1 or 0)
add('data_complete||', 1)
add('start_time_seconds||', status.start_unix_seconds)
add('counters_start_time_seconds||', status.reset_unix_seconds)
add('used_memory_bytes||', status.server_memory_bytes)
add('max_memory_bytes||', max_memory > 0 and max_memory)
add('overhead_memory_bytes||', status.overhead_bytes)
add('module_memory_bytes||', status.memory_bytes)
add('orphan_keys||', status.orphan_keys)
add('sweep_running||', (status.sweep_state == 'running' or status.sweep_state == 'waiting') and 1 or 0)
add('sweep_completed_timestamp_seconds||', status.sweep_age_seconds and now - status.sweep_age_seconds)
add('drift_keys_total||', status.drift)
add('rejected_connections_total||', status.connections_rejected)
for _, rows in ipairs({'users', 'prefixes'}) do
  add('dropped_rows_total|table=' .. rows .. '|', status[rows .. '_dropped'])
  add('rows|table=' .. rows .. '|', status[rows])
  add('rows_capacity|table=' .. rows .. '|', status[rows .. '_capacity'])
end

local metric_of_column = {
  connections = 'connections||',
  connections_peak = 'connections_peak||',
  connections_total = 'connections_opened_total||',
  reads = 'commands_total|kind=read|',
  writes = 'commands_total|kind=write|',
  admin = 'commands_total|kind=admin|',
  scripts = 'commands_total|kind=script|',
  pubsub = 'commands_total|kind=pubsub|',
  errors = 'failed_commands_total||',
  rejected = 'rejected_commands_total||',
  denied_auth = 'denied_commands_total|reason=auth|',
  denied_command = 'denied_commands_total|reason=command|',
  denied_key = 'denied_commands_total|reason=key|',
  denied_channel = 'denied_commands_total|reason=channel|',
  denied_database = 'denied_commands_total|reason=database|',
  auth_failures = 'authentication_failures_total||',
  slow = 'slow_commands_total||',
  cpu_usec = 'cpu_seconds_total||',
  bytes_in = 'input_bytes_total||',
  bytes_out = 'output_bytes_total||',
  keys = 'keys||',
  bytes = 'memory_bytes||',
  bytes_error = 'memory_error_bytes||',
}

-- As the module writes names in INFO (module/accounting/escape.h): any name can be read back, none can forge a key, and only
-- the module's own rows begin with "(".
local function escaped(name)
  return (name:gsub('[%z\1-\32\127-\255%%:=,#"\\(]', function(byte) return ('%%%02X'):format(byte:byte()) end))
end

local by = status.cpu_usec and 'cpu_usec' or 'commands'
for _, row in ipairs(redis.call('TENANTS.LIST', '0', 'COUNT', most_tenants, 'SORTBY', by)[2]) do
  local name, kind = row[2], row[4]
  if kind == 'tenant' or kind == 'group' or kind == 'gone' then name = escaped(name) end
  local others = 0  -- commands of none of the kinds
  for i = 5, #row, 2 do
    local metric, value = metric_of_column[row[i]], row[i + 1]
    if row[i] == 'cpu_usec' then value = value / 1e6 end
    if metric then add(metric .. name, value) end
    if row[i] == 'commands' then
      others = others + value
    elseif metric and metric:find('^commands_total') then
      others = others - value
    end
  end
  add('commands_total|kind=other|' .. name, others)
end
return reply
