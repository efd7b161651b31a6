"""Many keys of all types and sizes in no time: a script makes them inside the server."""

# ARGV: number of keys, seed, then the prefixes. In databases 0 and 2.
FILL = r"""
local keys, prefixes = tonumber(ARGV[1]), {}
for i = 3, #ARGV do prefixes[#prefixes + 1] = ARGV[i] end
math.randomseed(tonumber(ARGV[2]))
local function elements(pairs_of)
  local kind, words = math.random(1000), {}
  local count = kind == 1 and math.random(300, 2000) or kind < 50 and math.random(50, 200) or math.random(1, 10)
  local word = string.rep('w', math.random(10) == 1 and 80 or 5)
  for i = 1, count do
    if pairs_of == 'score' then words[#words + 1] = i end
    words[#words + 1] = word .. i
    if pairs_of == 'field' then words[#words + 1] = string.rep('v', i % 70) end
  end
  return words
end
local makers = {
  function(key) redis.call('SET', key, string.rep('x', math.random(0, 400))) end,
  function(key) redis.call('SET', key, math.random(1000000)) end,
  function(key) redis.call('SET', key, string.rep('x', math.random(1, 50) ^ 2), 'EX', 100000) end,
  function(key) redis.call('HSET', key, unpack(elements('field'))) end,
  function(key) redis.call('RPUSH', key, unpack(elements())) end,
  function(key) redis.call('SADD', key, unpack(elements())) end,
  function(key) redis.call('SADD', key, 1, 2, math.random(100000)) end,
  function(key) redis.call('ZADD', key, unpack(elements('score'))) end,
  function(key) for i = 1, math.random(5) do redis.call('XADD', key, '*', 'f', string.rep('x', i)) end end,
  function(key) redis.call('PFADD', key, math.random(1000), math.random(1000)) end,
}
for i = 1, keys do
  if i == 1 or i == math.floor(keys * 0.8) then redis.call('SELECT', i == 1 and 0 or 2) end
  makers[math.random(#makers)](prefixes[math.random(#prefixes)] .. i .. string.rep('n', math.random(0, 30)))
end
redis.call('SELECT', 0)
"""


def fill(session, keys, seed, prefixes=("app1:", "app1:sub:", "app2:", "orphan1:", "orphan2:", "plain")):
    session.call("EVAL", FILL, 0, keys, seed, *prefixes)
    session.call("SELECT", 0)
