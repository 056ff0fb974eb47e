-- needs: names lib conv_form conv zone hook remind
-- A person puts a reminder off. ARGV: its name, until when (ms, or +MS from now; 0: no longer), who, why. Returns {'OK', name,
-- until} | {'NONE'} | {'BAD', what is allowed}.
local SNOOZE_MAX_MS = 30 * DAY_MS
local name, till, who, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now = redis_now()
local at = string.find(till, '^%+%d+$') and now + tonumber(till) or tonumber(till)
if not at or at ~= floor(at) or at ~= 0 and (at <= now or at > now + SNOOZE_MAX_MS) then
    return {'BAD', 'a time in ms within the next 30 days, or 0'}
end
for _, item in ipairs(call('ZRANGE', K.remind_at, 0, -1)) do
    if item_name(item) == name then
        local st = load_packed(K.remind, item) or {a = -1, s = 0, f = 0, l = 0, n = '', r = 0, c = 0}
        st.z = at
        call('HSET', K.remind, item, pack(st))
        look_at(item, math.max(at, now, st.l))
        call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', item .. ':snooze:' .. int(now), 'k', 'reminder', 'at',
            int(now), 'what', 'snoozed', 'item', name, 'until', int(at), 'who', who, 'why', why)
        return {'OK', name, int(at)}
    end
end
return {'NONE'}
