-- needs: names lib held
-- A person decides on a held message. ARGV: 'approve' | 'refuse', id, who, why. Returns {'OK', id, state} | {'NONE'} no
-- such message | {'ENDED', state, who, when} it does not wait any more.
local verb, id, who, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4] or ''
local now = redis_now()
local h = held_load(id)
if not h then
    return {'NONE'}
end
if h.s ~= 'waiting' or h.ex <= now then
    return {'ENDED', h.s == 'waiting' and 'expired' or h.s, h.who, int(h.dat)}
end
if verb ~= 'approve' and verb ~= 'refuse' then
    return redis.error_reply('ERR held_decide: approve or refuse')
end
h.who, h.why, h.dat = string.sub(who, 1, 100), string.sub(why, 1, 500), now
held_set(h, verb == 'approve' and 'approved' or 'refused', h.who, h.why, now)
held_save(h)
return {'OK', id, h.s}
