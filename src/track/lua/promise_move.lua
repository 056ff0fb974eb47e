-- needs: names lib conv_form conv zone hook figures promise remind
-- A person ends or changes a commitment. ARGV: 'keep' | 'cancel' | 'extend', its name, who, why, for extend the new due
-- time (ms, or +MS from the old one). Returns {'OK', name, what it is now, due} | {'NONE'} | {'BAD', what is allowed}.
local EXTEND_MAX_MS = 30 * DAY_MS
local what, name, who, why, till = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] or ''
local now = redis_now()

local function find()
    for _, member in ipairs(call('ZRANGE', K.due, 0, -1)) do
        if item_name('p\n' .. member) == name then
            return member
        end
    end
end

local member = find()
local conv, key = string.match(member or '', '^(.-)\n(.*)$')
local c, p = conv and conv_of(conv), nil
for _, v in ipairs(c and c.t.p or {}) do
    p = v[3] == key and v or p
end
if not p then
    return {'NONE'}
end

local due = tonumber(call('ZSCORE', K.due, member))
local hand = promise_hand(conv, key) or {}
local is_now
if what == 'extend' then
    local at = string.find(till, '^%+%d+$') and due + tonumber(till) or tonumber(till)
    if not at or at ~= floor(at) or at <= now or at > now + EXTEND_MAX_MS then
        return {'BAD', 'a due time in the future, within the next 30 days'}
    end
    due, is_now, hand.d = at, 'extended', at
elseif what == 'keep' or what == 'cancel' then
    is_now = what == 'keep' and 'kept' or 'cancelled'
    hand.x = is_now
else
    return {'BAD', 'keep, cancel, extend'}
end

hand.at, hand.who = now, who
call('HSET', K.remind, 'P\n' .. member, pack(hand))
if hand.x then
    call('ZREM', K.due, member)
    forget_item('p\n' .. member)
    add_count(figures_of(now, pack(p[4], p[5], p[6])), 'promise_' .. is_now, 1)
    figures_log()
else
    call('ZADD', K.due, int(due), member)
    look_at('p\n' .. member, now)
end
call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', 'hand:' .. int(now) .. ':' .. name, 'k', 'commitment', 'at',
    int(now), 'what', is_now, 'name', name, 'due', int(due), 'who', who, 'why', why, 'cust', c.cu, 'conv', conv, 'agent', p[4],
    'team', p[5], 'shop', p[6])
return {'OK', name, is_now, int(due)}
