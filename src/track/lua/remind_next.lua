-- needs: names lib conv_form conv zone hook remind
-- What will be reminded of, soonest first; writes nothing. ARGV: most, then the steps as conf_of takes them. Returns {now,
-- {name, kind, step, due, to, agent, customer, conversation, ref, since, snoozed until, being worked on by node or ''}…}.
local LOOK = 2000
local now, most, conf = redis_now(), tonumber(ARGV[1]), conf_of(2)
local found = {}
for _, item in ipairs(call('ZRANGE', K.remind_at, 0, LOOK - 1)) do
    local a, st = item_next(item, conf)
    if a and a.due then
        found[#found + 1] = {item_name(item), a.kind, int(a.step), int(a.due), a.to, a.agent, a.cust, a.conv, a.ref, int(a.from),
            int(math.max(st.z or 0, a.snoozed or 0)), st.l > now and st.n or ''}
    end
end
table.sort(found, function(x, y)
    return tonumber(x[4]) < tonumber(y[4])
end)
local rows = {int(now)}
for i = 1, math.min(#found, most) do
    rows[i + 1] = found[i]
end
return rows
