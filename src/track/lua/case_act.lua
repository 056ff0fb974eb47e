-- needs: names lib conv_form conv lists zone hook cases case_hand
-- A person does something to a case beside moving it. ARGV: what, case id, who, why, value, 'force' or ''.
--   assign AGENT      call answered | no_answer | busy     news ''     snooze MS (until) or +MS (from now), 0: no more
--   order NUMBER      severity 1 … 4                       note ''
-- Returns {'OK', id, state, value} | {'NONE'} | {'BAD', what is allowed} | {'LIMIT', when it may be done again, ms} |
-- {'CHAT_FIRST'}. A call counts whether it was answered or not: at most two on a day of the case's shop, and for a review not before the
-- customer got a message about it; 'force' logs one that was made all the same.
local CALLS_A_DAY, SNOOZE_MAX_MS = 2, 30 * DAY_MS
local what, id, who, why, val, force = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] or '', ARGV[6] == 'force'
local case = load_packed(K.case, id)
if not case then
    return {'NONE'}
end

if what == 'snooze' and string.find(val, '^%+%d+$') then
    val = int(now + tonumber(val))
end

local function fits()
    if what == 'assign' then
        return #val > 0 and #val <= 200, 'an agent'
    elseif what == 'call' then
        return val == 'answered' or val == 'no_answer' or val == 'busy', 'answered, no_answer, busy'
    elseif what == 'snooze' then
        local at = tonumber(val)
        return at and at == floor(at) and (at == 0 or at > now and at <= now + SNOOZE_MAX_MS),
            'a time in ms within the next 30 days, or 0'
    elseif what == 'order' then
        return #val >= 4 and #val <= 40 and not string.find(val, '[^%w-]'), '4 to 40 letters, digits, -'
    elseif what == 'severity' then
        return string.find(val, '^[1-4]$'), '1 to 4'
    end
    return CASE_ACTS[what] and val == '', CASE_ACTS[what] and 'no value' or 'assign, call, news, snooze, order, severity, note'
end

local fine, allowed = fits()
if not fine then
    return {'BAD', allowed}
end
if what == 'call' and not force then
    local zone, today = zones_read()(case.p), 0
    for _, at in ipairs(case.calls or {}) do
        today = today + (zone.day(at) == zone.day(now) and 1 or 0)
    end
    if today >= CALLS_A_DAY then
        return {'LIMIT', int(zone.midnight(zone.day(now) + 1))}
    end
    local conv = conv_load(case.cv)
    for _, kind in ipairs(case.kinds) do
        if string.find(kind, 'review') and not (conv and conv.t.news > case.opened) and not case.nw then
            return {'CHAT_FIRST'}
        end
    end
end

local d = {y = 'a', id = id, what = what, val = val, who = who, why = why, g = ''}
local rec, known = cust_load(case.cu), false
for _, c in ipairs((case_derive(case.cu, rec.b, rec.l))) do
    known = known or c.id == id
end
if known then
    finish(case.cu, rec, d, id)
else -- its customer's log is gone or has gone on
    case_act(case, now, d)
    call('HSET', K.case, id, pack(case))
end
call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', 'hand:' .. int(now) .. ':' .. id .. ':' .. what, 'k', 'case',
    'at', int(now), 'case', id, 'from', case.s, 'to', case.s, 'what', what, 'value', val, 'who', who, 'why', why,
    'cust', case.cu, 'conv', case.cv, 'agent', case.g, 'team', case.t, 'shop', case.p, 'sev', case.sv)
return {'OK', id, case.s, val}
