-- needs: lib held
-- The end of what held_claim gave. ARGV: id, fence, outcome, why. Outcomes of SEND: 'sent', 'blocked' (why: the rule or
-- what was in the way), 'back' (nothing was sent, another node may); of TELL: 'told', 'untold'.
-- Returns {'OK', state} | {'STALE'}.
local id, fence, outcome, why = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] or ''
local now = redis_now()
local h = held_load(id)
if not h or h.f ~= fence or h.l == 0 then
    return {'STALE'}
end
if h.s == 'sending' then
    if outcome == 'sent' or outcome == 'blocked' then
        held_set(h, outcome, h.nd, why, now)
        if outcome == 'blocked' then
            h.why = why
        end
    elseif outcome == 'back' then
        held_set(h, 'approved', h.nd, why, now)
    else
        return {'STALE'}
    end
elseif outcome == 'told' then
    call('ZREM', K.held_tell, id)
    h.raw, h.l = '', 0
else
    h.l = now + 5000 -- the agent may be there on another node, or come back
end
held_save(h)
return {'OK', h.s}
