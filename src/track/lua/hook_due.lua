-- needs: names lib hook
-- Which deliveries are due. ARGV: most answers, how long an event is kept for targets nobody has (ms), then for every
-- target of this gateway its name and for how long it takes nothing urgent, and nothing else (ms). Returns {now, how many wait, {id, target, urgent, at, kind,
-- severity, shop}…}, urgent ones first; target '': the event has no targets yet.
local now, most, keep = redis_now(), tonumber(ARGV[1]), tonumber(ARGV[2])
local WINDOW, STRANGER_MS = 200, 60000
local wait = {[''] = {0, 0}}
for i = 3, #ARGV, 3 do
    wait[ARGV[i]] = {tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])}
end
if tonumber(call('HGET', K.info, 'hooks_until') or '0') < now + DAY_MS / 2 then
    call('HSET', K.info, 'hooks_until', int(now + DAY_MS))
end

local found = {int(now), call('ZCARD', K.hook_at) + call('ZCARD', K.hook_urgent)}

local function field(e, name)
    for i = 1, #e.f, 2 do
        if e.f[i] == name then
            return e.f[i + 1]
        end
    end
    return ''
end

local function look(queue, member)
    local target, id = string.match(member, '^(.-)\n(.*)$')
    local e = load_packed(K.hook, id)
    if not e then
        call('ZREM', queue, member)
    elseif not wait[target] and e.at < now - keep then
        e.d[target] = nil
        call('ZREM', queue, member)
        if next(e.d) then
            call('HSET', K.hook, id, pack(e))
        else
            hook_forget(id, e)
        end
        call('HINCRBY', K.info, 'hooks_dropped', 1)
    elseif not wait[target] or wait[target][2 - e.u] > 0 then -- not in the way of the others
        call('ZADD', queue, int(now + (wait[target] and wait[target][2 - e.u] or STRANGER_MS)), member)
    else
        found[#found + 1] = {id, target, e.u, int(e.at), e.k, e.sv, field(e, 'shop')}
    end
end

for _, queue in ipairs({K.hook_urgent, K.hook_at}) do
    for _, member in ipairs(call('ZRANGEBYSCORE', queue, '-inf', int(now), 'LIMIT', 0, WINDOW)) do
        if #found < most + 2 then
            look(queue, member)
        end
    end
end
return found
