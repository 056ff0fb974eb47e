-- needs: names lib conv_form conv zone remind
-- What will be reminded of, for people. ARGV: 'list', most; or 'one', name. Writes nothing. Returns {now, {name, kind, looked at
-- next, since, agent, team, shop, conversation, customer, ref, steps done, snoozed until or 0, '1' put off at the case itself}…}, the soonest first. When the
-- next step is due is known to the gateways, which have the steps: they look at an item then.
local now = redis_now()
local rows = {int(now)}
local want = ARGV[1] == 'one' and ARGV[2]
local none = {unanswered = {}, stale = {}, before = 0, promise = {}, cold = {}, review = {}, review_call = {}, follow = {}}
local items = call('ZRANGE', K.remind_at, 0, want and -1 or tonumber(ARGV[2]) - 1, 'WITHSCORES')
for i = 1, #items, 2 do
    local item = items[i]
    local name = item_name(item)
    local a = (not want or want == name) and string.sub(item, 1, 1) ~= 'n' and item_about(item, none)
    if a then
        local st = load_packed(K.remind, item)
        local snoozed = math.max(st and st.z or 0, a.snoozed or 0)
        rows[#rows + 1] = {name, a.kind, items[i + 1], int(a.from), a.agent, a.team, a.shop, a.conv, a.cust, a.ref,
            int(st and st.a == a.anchor and st.s or 0), int(snoozed > now and snoozed or 0),
            (a.snoozed or 0) > now and '1' or ''}
    end
end
return rows
