-- A gateway tells about itself. KEYS: cg:{nodes}:at, cg:{nodes}:state, cg:{nodes}:rules:VERSION. ARGV: node, its state
-- (JSON), the list of its rules (JSON; empty: told before). Forgets nodes that were not seen for a week.
local KEEP_MS, RULES_S = 7 * 86400000, 30 * 86400
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then
    redis.call('SET', KEYS[3], ARGV[3], 'EX', RULES_S)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - KEEP_MS), 'LIMIT', 0, 16)) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
end
return redis.call('EXISTS', KEYS[3])
