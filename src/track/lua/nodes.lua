-- What the gateways tell about themselves; writes nothing. KEYS: cg:{nodes}:at, cg:{nodes}:state. Returns {now, {node,
-- last heart-beat, its state}…}, the newest first, at most 200.
local t = redis.call('TIME')
local rows = {string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))}
local seen = redis.call('ZREVRANGE', KEYS[1], 0, 199, 'WITHSCORES')
for i = 1, #seen, 2 do
    local state = redis.call('HGET', KEYS[2], seen[i])
    if state then
        rows[#rows + 1] = {seen[i], seen[i + 1], state}
    end
end
return rows
