-- needs: names lib held
-- A node takes over what held_due listed. ARGV: id, node, lease in ms. Returns
-- {'SEND' | 'TELL', fence, state, agent, conversation, profile and socket, session, bytes, text, who, why} |
-- {'BUSY'} another node is at it | {'GONE'}. After SEND nobody sends it again, unless held_done gives it back.
local id, node, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = redis_now()
local h = held_load(id)
if not h or not HELD_OPEN[h.s] and not call('ZSCORE', K.held_tell, id) then
    return {'GONE'}
end
if h.l > now or h.s == 'sending' then
    return {'BUSY'}
end
if h.s == 'waiting' then
    return {'GONE'}
end
local what = h.s == 'approved' and 'SEND' or 'TELL'
if what == 'SEND' then
    h.s = 'sending'
    call('ZADD', K.held_at, int(now + lease), id)
end
h.f = tonumber(call('HINCRBY', K.info, 'fence', 1))
h.l, h.nd = now + lease, node
held_save(h)
return {what, int(h.f), h.s, h.g, h.cv, h.rt, h.via, h.raw, h.tx, h.who, h.why}
