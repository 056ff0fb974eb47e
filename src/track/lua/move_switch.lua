-- Puts what move_in.lua gathered in the place of what was there, once: the last key says that it is complete. KEYS: those
-- of one shard in use, the same number beside them, the set of move_in.lua, the mark. ARGV: new number of shards. What rings
-- were applied, and the stream, stay; in a shard that is no more they stay for 31 days. Returns {'1'} done, {'0'} done before.
local n = (#KEYS - 2) / 2
local FIGURES = {hours = 9 * 86400, days = 113 * 86400}
local STAY = {applied = true, rings = true, stream = true}
if redis.call('EXISTS', KEYS[#KEYS]) == 0 then
    return {'0'}
end
local is_left = tonumber(string.match(KEYS[1], '{(%d+)}')) >= tonumber(ARGV[1])
for i = 1, n do
    local name = string.match(KEYS[i], '}:(.*)$')
    if STAY[name] then
        if is_left then
            redis.call('EXPIRE', KEYS[i], 31 * 86400)
        else
            redis.call('PERSIST', KEYS[i])
        end
    else
        redis.call('DEL', KEYS[i])
        if redis.call('EXISTS', KEYS[n + i]) == 1 then
            redis.call('RENAME', KEYS[n + i], KEYS[i])
            local keep = FIGURES[string.match(name, '^(%a+):') or '']
            if keep then
                redis.call('EXPIRE', KEYS[i], keep)
            end
        end
    end
end
redis.call('DEL', KEYS[#KEYS - 1], KEYS[#KEYS])
return {'1'}
