"""A large keyspace, made inside the server, and the truth about it.

Prefixes of very different sizes (Zipf): of ten keys eight are strings of lognormal lengths, one is a hash, one a list, a
set or a sorted set. The truth is MEMORY USAGE key SAMPLES 0 of every key, asked for by a script. The same keys each time.

Or strings alone, as many as fit: made by DEBUG POPULATE, all those of a prefix of one size.
"""

import collections

CROSS_SLOTS = "#!lua flags=allow-cross-slot-keys\n"  # which matters in cluster mode
FILL = """
math.randomseed(tonumber(ARGV[2]))
local cumulated, total, prefixes = {}, 0, tonumber(ARGV[3])
for i = 1, prefixes do total = total + 1 / i ^ 0.8; cumulated[i] = total end
local blocks = {}
for i = 0, 3000 do blocks[i] = string.rep('x', i) end
for i = 1, ARGV[1] do
  local die, low, high = math.random() * total, 1, prefixes
  while low < high do
    local middle = math.floor((low + high) / 2)
    if cumulated[middle] < die then low = middle + 1 else high = middle end
  end
  local key = 'p' .. low .. ':' .. ARGV[2] .. ':' .. i
  local kind = math.random(10)
  if kind <= 8 then
    local normal = math.sqrt(-2 * math.log(1 - math.random())) * math.cos(6.283185 * math.random())
    redis.call('SET', key, blocks[math.min(3000, math.floor(math.exp(4 + normal)))])
    if i % 3 == 0 then redis.call('EXPIRE', key, 100000) end
  elseif kind == 9 then redis.call('HSET', key, 'name', blocks[math.random(60)], 'count', i, 'more', 'x')
  elseif i % 3 == 0 then redis.call('RPUSH', key, 'a', i, blocks[math.random(100)])
  elseif i % 3 == 1 then redis.call('SADD', key, 'a', 'b', i)
  else redis.call('ZADD', key, i, 'a', 2, 'b')
  end
end"""
SIZES = """local cursor, sums = ARGV[1], {}
for _ = 1, 20 do
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local prefix = string.match(key, '^[^:]*:')
    sums[prefix] = (sums[prefix] or 0) + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')
  end
  if cursor == '0' then break end
end
local flat = {cursor}
for prefix, sum in pairs(sums) do flat[#flat + 1] = prefix; flat[#flat + 1] = tostring(sum) end
return flat"""
CHUNK = 20_000


def fill(server, keys, prefixes):
    for seed in range((keys + CHUNK - 1) // CHUNK):
        server.admin.eval(CROSS_SLOTS + FILL, 0, min(CHUNK, keys - seed * CHUNK), seed + 1, prefixes)


def populate(server, keys, prefixes):
    weights = [1 / (number + 1) ** 0.8 for number in range(prefixes)]
    for number, weight in enumerate(weights):
        server.admin.execute_command("DEBUG", "POPULATE", round(keys * weight / sum(weights)), f"p{number + 1}", 10 + 7 * number % 60)


def status(server):
    return {name[len("tenants_") :]: value for name, value in server.admin.execute_command("INFO", "tenants_status").items()}


def prefixes(server):
    rows = server.admin.execute_command("INFO", "tenants_prefixes")
    return {name[len("tenants_prefix_") :].replace("%3A", ":"): row for name, row in rows.items() if isinstance(row, dict) and row["keys"]}


def truth(server):
    sums, cursor = collections.Counter(), "0"
    while True:
        cursor, *flat = server.admin.eval(CROSS_SLOTS + SIZES, 0, cursor)
        for prefix, size in zip(flat[::2], flat[1::2]):
            sums[prefix.decode()] += float(size)
        if cursor == b"0":
            return sums


def errors(server, sizes):
    """(largest relative error, largest bound, misses of the bound) over the prefixes with 0.1 % of the memory or more."""
    total, largest, bound, misses, rows = sum(sizes.values()), 0, 0, 0, prefixes(server)
    for name, size in sizes.items():
        if size < total / 1000:
            continue
        row = rows[name]
        if "bytes" not in row:
            return 1, 1, 1
        off = abs(row["bytes"] - size)
        largest = max(largest, off / size)
        if "bytes_error" in row:
            bound = max(bound, row["bytes_error"] / size)
            misses += off > row["bytes_error"]
        else:
            bound = 1
    return largest, bound, misses
