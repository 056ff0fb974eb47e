-- How fast and whether at all a target is sent to, of all gateways together. KEYS: cg:hooks, a hash of target to
--   {g times of the last sendings, w closed until, b broken: failures in a row, o open circuit until, x times it opened, p probe until,
--    sent, failed, gave, ok_at, fail_at, err, seen, kind, host}
-- ARGV: 'ask', target, urgent 1 | 0, per minute, per second, kind, host → {'GO'} | {'WAIT', ms, why}
--       'ok', target | 'fail', target, wait ms, jitter 0 to 1000, error | 'gave_up', target → {'OK', failures in a row}
local FAILS, OPEN_MS, OPEN_MAX_MS, PROBE_MS, PROBE_LOOK_MS, MINUTE_MS, STALE_MS = 5, 10000, 300000, 90000, 1000, 60500, 30 * 86400000
local RESERVE = 4 -- one of so many of a minute's sendings is kept for urgent ones
local call, floor = redis.call, math.floor

local t = call('TIME')
local now = tonumber(t[1]) * 1000 + floor(tonumber(t[2]) / 1000)
local what, target = ARGV[1], ARGV[2]
local packed = call('HGET', KEYS[1], target)
local s = packed and cmsgpack.unpack(packed) or {g = {}, w = 0, b = 0, o = 0, x = 0, p = 0, sent = 0, failed = 0, gave = 0, ok_at = 0,
    fail_at = 0, err = '', kind = '', host = ''}

local function save()
    s.seen = now
    call('HSET', KEYS[1], target, cmsgpack.pack(s))
end

-- Milliseconds until one more fits into `most` sendings of any `span`.
local function room_in(most, span)
    local at = s.g[#s.g - most + 1]
    return at and math.max(0, at + span - now) or 0
end

local function ask()
    local most, per_s, urgent = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[3] == '1'
    local shared = (urgent or most < RESERVE) and most or most - floor(most / RESERVE)
    while #s.g > 0 and s.g[1] <= now - MINUTE_MS do
        table.remove(s.g, 1)
    end
    local wait, why = 0, ''
    for _, w in ipairs({{s.w - now, 'told to wait'}, {s.o - now, 'broken'}, {s.b >= FAILS and math.min(s.p - now, PROBE_LOOK_MS) or 0, 'broken'},
        {room_in(shared, MINUTE_MS), 'rate'}, {per_s > 0 and room_in(per_s, 1050) or 0, 'rate'}}) do
        if w[1] > wait then
            wait, why = w[1], w[2]
        end
    end
    s.kind, s.host = ARGV[6], ARGV[7]
    if wait == 0 then
        s.g[#s.g + 1] = now
        s.p = s.b >= FAILS and now + PROBE_MS or 0
    end
    save()
    if wait > 0 then
        return {'WAIT', string.format('%.0f', wait), why}
    end
    return {'GO'}
end

if what == 'ask' then
    if call('HLEN', KEYS[1]) > 32 then
        local all = call('HGETALL', KEYS[1])
        for i = 1, #all, 2 do
            if cmsgpack.unpack(all[i + 1]).seen < now - STALE_MS then
                call('HDEL', KEYS[1], all[i])
            end
        end
    end
    return ask()
elseif what == 'ok' then
    s.sent, s.ok_at, s.b, s.o, s.x, s.p, s.w = s.sent + 1, now, 0, 0, 0, 0, 0
elseif what == 'fail' then
    s.failed, s.fail_at, s.err, s.b, s.p = s.failed + 1, now, string.sub(ARGV[5], 1, 160), s.b + 1, 0
    s.w = math.max(s.w, now + tonumber(ARGV[3]))
    if s.b >= FAILS and s.o <= now then -- those that were under way when it opened change nothing
        s.x = s.x + 1
        s.o = now + floor(math.min(OPEN_MS * 2 ^ math.min(s.x - 1, 10), OPEN_MAX_MS) * (0.75 + tonumber(ARGV[4]) / 2000))
    end
else
    s.gave = s.gave + 1
end
save()
return {'OK', s.b}
