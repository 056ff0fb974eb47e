-- needs: names lib conv_form conv zone hook remind
-- A node takes a step for lease_ms. ARGV: item, step, anchor, node, lease_ms, then as remind_due from the steps on.
-- Returns {'OK', fence} | {'BUSY', node} | {'GONE'}.
local item, step, anchor, node, lease = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = redis_now()
local a, st = item_next(item, conf_of(6))
if not a or not a.due or a.due > now or a.step ~= step or int(a.anchor) ~= anchor then
    return {'GONE'}
end
if st.l > now then
    return {'BUSY', st.n}
end
st.f = tonumber(call('HINCRBY', K.info, 'fence', 1))
st.n, st.l = node, now + lease
call('HSET', K.remind, item, pack(st))
look_at(item, st.l)
return {'OK', int(st.f)}
