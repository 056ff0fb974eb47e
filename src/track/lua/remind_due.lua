-- needs: names lib conv_form conv zone hook remind
-- Which reminders are due and not being worked on. ARGV: most answers, then the steps as
-- conf_of takes them. Returns {now, {item, kind, step, anchor, due, to, agent, conv, customer, since, ref, n, shop}…}.
local now, most, conf = redis_now(), tonumber(ARGV[1]), conf_of(2)
local found = {int(now)}
for _, item in ipairs(call('ZRANGEBYSCORE', K.remind_at, '-inf', int(now), 'LIMIT', 0, 4 * most)) do
    local a, st = item_next(item, conf)
    if not a then
        forget_item(item)
    elseif st.l > now then
        look_at(item, st.l)
    elseif not a.due then
        look_at(item, now + (a.again or LOOK_AGAIN_MS))
    elseif a.due > now then
        look_at(item, math.min(a.due, now + (a.again or a.due)))
    elseif #found <= most then
        found[#found + 1] = {item, a.kind, a.step, int(a.anchor), int(a.due), a.to, a.agent, a.conv, a.cust, int(a.from),
            a.ref, a.n, a.shop}
    end
end
return found
