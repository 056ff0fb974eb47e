-- A person says whether a rule was right about a message. KEYS: cg:{feedback}:given, cg:{feedback}:at, cg:{feedback}:rules.
-- ARGV: the violation's id, 'wrong' | 'right' | 'none', its rules with commas, who, 'agent' or 'supervisor', why. Returns
-- {'OK', verdict} | {'HELD', verdict, who}: a supervisor has judged, whom an agent cannot overrule.
local KEEP = 50000
local id, verdict, rules, who, role, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local t = redis.call('TIME')
local now = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))

local function count(list, what, by)
    for rule in string.gmatch(list, '[^,]+') do
        local n = redis.call('HINCRBY', KEYS[3], rule .. '|' .. what, by)
        if n <= 0 then
            redis.call('HDEL', KEYS[3], rule .. '|' .. what)
        end
    end
end

local held = redis.call('HGET', KEYS[1], id)
if held then
    local v, _, by, their_role, of = string.match(held, '^(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t')
    if their_role == 'supervisor' and role == 'agent' then
        return {'HELD', v, by}
    end
    count(of, v, -1)
    redis.call('HDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
end
if verdict ~= 'none' then
    redis.call('HSET', KEYS[1], id, table.concat({verdict, now, who, role, rules, (string.gsub(string.sub(why, 1, 400), '%c', ' '))}, '\t'))
    redis.call('ZADD', KEYS[2], now, id)
    count(rules, verdict, 1)
    if redis.call('ZCARD', KEYS[2]) > KEEP then
        for _, old in ipairs(redis.call('ZRANGE', KEYS[2], 0, 15)) do -- what it counted for stays counted
            redis.call('ZREM', KEYS[2], old)
            redis.call('HDEL', KEYS[1], old)
        end
    end
end
return {'OK', verdict}
