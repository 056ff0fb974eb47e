-- needs: names lib hook
-- Ends a claim. ARGV: id, target, fence, 'sent' | 'gave_up' | 'again' (a try failed) | 'back' (it was not tried),
-- milliseconds until it is looked at again, node, why. Returns {'OK'} | {'STALE'}.
local id, target, fence, what, delay = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local now = redis_now()
local e = load_packed(K.hook, id)
local d = e and e.d and e.d[target]
if not d or d.f ~= fence then
    return {'STALE'}
end
local member = target .. '\n' .. id
if what == 'again' or what == 'back' then
    d.t, d.l, d.n = d.t + (what == 'again' and 1 or 0), 0, ''
    call('HSET', K.hook, id, pack(e))
    call('ZADD', hook_queue(e), int(now + delay), member)
    return {'OK'}
end
if what == 'gave_up' then
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', id .. ':' .. target, 'k', 'webhook', 'at', int(now), 'node',
        ARGV[6], 'what', what, 'target', target, 'kind', e.k, 'tries', int(d.t + 1), 'why', ARGV[7])
end
e.d[target] = nil
call('ZREM', hook_queue(e), member)
if next(e.d) then
    call('HSET', K.hook, id, pack(e))
else
    hook_forget(id, e)
end
return {'OK'}
