-- needs: names lib held
-- What gateways have to do for held messages; ends what has waited too long. ARGV: how long an approved one waits for its
-- agent, how long ended ones are kept, most rows. Returns {now, messages without an end, {id, 'send' | 'tell', agent, session, since}…}.
local within, keep, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = redis_now()
local rows = {int(now), 0}

local function expire(h)
    h.dat, h.who = now, 'chatgate'
    if h.xp == 1 then
        h.why = 'nobody decided in time'
        held_set(h, 'approved', h.who, h.why, now)
    else
        h.why = 'nobody decided in time'
        held_set(h, 'expired', h.who, h.why, now)
    end
    held_save(h)
end

for _, id in ipairs(call('ZRANGEBYSCORE', K.held_at, '-inf', int(now), 'LIMIT', 0, most)) do
    local h = held_load(id)
    if not h then
        call('ZREM', K.held_at, id)
    elseif h.s == 'waiting' then
        expire(h)
    elseif h.s == 'sending' and h.l <= now then
        h.why = 'the gateway that was to send it did not say that it did'
        held_set(h, 'uncertain', h.nd, h.why, now)
        held_save(h)
    elseif h.s == 'approved' and h.dat + within <= now then
        held_set(h, 'unsent', 'chatgate', 'the agent was not connected', now)
        held_save(h)
    elseif h.s == 'approved' and h.l <= now then
        rows[#rows + 1] = {id, 'send', h.g, h.via, int(h.dat)}
    end
end

call('ZREMRANGEBYSCORE', K.held_tell, '-inf', int(now - HELD_TELL_MS))
for _, id in ipairs(call('ZREVRANGE', K.held_tell, 0, 99)) do
    local h = held_load(id)
    if not h then
        call('ZREM', K.held_tell, id)
    elseif h.l <= now then
        rows[#rows + 1] = {id, 'tell', h.g, h.via, int(h.dn)}
    end
end

local old = call('ZRANGEBYSCORE', K.held_done, '-inf', int(now - keep), 'LIMIT', 0, 16)
if #old == 0 and call('ZCARD', K.held_done) > HELD_DONE_MAX then
    old = call('ZRANGE', K.held_done, 0, 15)
end
for _, id in ipairs(old) do
    local h = held_load(id)
    held_forget(h or {id = id, s = '', g = ''})
end
rows[2] = call('ZCARD', K.held_at)
return rows
