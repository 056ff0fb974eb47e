-- Messages that a rule holds until somebody approves them. States:
--   waiting ─ approved ─ sending ─ sent | blocked (by the rules then in force) | uncertain (its gateway died over it)
--      │         └ unsent (the agent was not there in time)
--      └ refused | expired
-- Record: {id, at, ex expires, xp 1: sent when it expires, s state, g t p agent, team, shop, cv cu conversation, customer,
--          mid, ed 1: an edit, ru rules, tx text, raw the bytes, rt profile and socket, via session, who, why, dat decided,
--          dn ended, f fence, l lease until, nd its node}
local HELD_MAX, HELD_AGENT_MAX, HELD_DONE_MAX, HELD_TELL_MS = 500, 20, 2000, 12 * HOUR_MS
local HELD_OPEN = {waiting = true, approved = true, sending = true}

local function held_load(id)
    return string.sub(id, 1, 1) ~= '#' and load_packed(K.held, id)
end

local function held_wait_count(agent, by)
    local field = '#' .. agent
    if call('HINCRBY', K.held, field, by) <= 0 then
        call('HDEL', K.held, field)
    end
end

-- Moves it, at its end too, and says so in the stream, which is its audit trail.
local function held_set(h, to, who, why, now)
    local from = h.s
    if from == 'waiting' then
        held_wait_count(h.g, -1)
    end
    h.s, h.l = to, 0
    if HELD_OPEN[to] then
        call('ZADD', K.held_at, int(to == 'waiting' and h.ex or h.dat), h.id)
    else
        h.dn = now
        call('ZREM', K.held_at, h.id)
        call('ZADD', K.held_done, int(now), h.id)
        if to == 'sent' then
            h.raw = ''
            call('ZREM', K.held_tell, h.id)
        else
            call('ZADD', K.held_tell, int(now), h.id)
        end
    end
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', h.id .. ':' .. to .. ':' .. int(now), 'k', 'held', 'at',
        int(now), 'held', h.id, 'from', from, 'to', to, 'who', who, 'why', why, 'cust', h.cu, 'conv', h.cv, 'agent', h.g,
        'team', h.t, 'shop', h.p, 'rules', h.ru)
end

local function held_save(h)
    call('HSET', K.held, h.id, pack(h))
end

-- A new one, from an event of the gateway. Too many at once: it has ended at once, and the agent is told.
local function held_add(h, now)
    h.id = SHARD .. '-' .. int(call('HINCRBY', K.info, 'held_seq', 1))
    h.s, h.who, h.why, h.dat, h.dn, h.f, h.l, h.nd = '', '', '', 0, 0, 0, 0, ''
    local mine = tonumber(call('HGET', K.held, '#' .. h.g) or '0')
    if mine >= HELD_AGENT_MAX or call('ZCARD', K.held_at) >= HELD_MAX then
        h.who, h.why = 'chatgate', 'too many messages wait'
        held_set(h, 'refused', h.who, h.why, now)
    else
        held_wait_count(h.g, 1)
        held_set(h, 'waiting', h.g, h.ru, now)
    end
    held_save(h)
end

local function held_forget(h)
    if h.s == 'waiting' then
        held_wait_count(h.g, -1)
    end
    call('HDEL', K.held, h.id)
    call('ZREM', K.held_at, h.id)
    call('ZREM', K.held_done, h.id)
    call('ZREM', K.held_tell, h.id)
end
