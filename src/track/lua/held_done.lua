-- needs: names lib held
-- The end of what held_claim gave. ARGV: id, fence, outcome, why. Outcomes of SEND: 'sent', 'blocked' (why: the rule or
-- what was in the way), 'back' (nothing was sent, another node may); of TELL: 'told', 'untold'.
-- Returns {'OK', state} | {'STALE'}.
local id, fence, outcome, why = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] or ''
local now = redis_now()
local SENT = {sent = true, blocked = true, back = true}
local h = held_load(id)
if not h or h.f ~= fence or h.l == 0 and h.s ~= 'uncertain' then
    return {'STALE'}
end
if h.s == 'sending' or h.s == 'uncertain' and SENT[outcome] then -- a node that is late still knows what it did
    if outcome == 'sent' or outcome == 'blocked' then
        if outcome == 'blocked' then
            h.why = why
        end
        held_set(h, outcome, h.nd, why, now)
    elseif outcome == 'back' then
        h.s, h.l = 'approved', now + 2000
        call('ZREM', K.held_done, id)
        call('ZREM', K.held_tell, id)
        call('ZADD', K.held_at, int(h.dat), id)
    else
        return {'STALE'}
    end
elseif SENT[outcome] then
    return {'STALE'}
elseif outcome == 'told' then
    call('ZREM', K.held_tell, id)
    h.raw, h.l = '', 0
else
    h.l = now + 5000 -- the agent may be there on another node, or come back
end
held_save(h)
return {'OK', h.s}
