-- needs: names lib hook
-- A node takes a delivery for lease_ms. ARGV: id, target, node, lease_ms. Returns {'OK', fence, tries, now, at, kind,
-- severity, name, value…} | {'BUSY', node} | {'GONE'}.
local id, target, node, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = redis_now()
local e = load_packed(K.hook, id)
local d = e and e.d and e.d[target]
if not d then
    return {'GONE'}
end
if d.l > now then
    return {'BUSY', d.n}
end
d.f = tonumber(call('HINCRBY', K.info, 'fence', 1))
d.n, d.l = node, now + lease
call('HSET', K.hook, id, pack(e))
call('ZADD', hook_queue(e), int(d.l), target .. '\n' .. id)
return {'OK', int(d.f), int(d.t), int(now), int(e.at), e.k, int(e.sv), unpack(e.f)}
