-- needs: names lib conv_form conv zone hook remind
-- Ends a step. ARGV: item, step, anchor, fence, outcome 'delivered' | 'undelivered' | 'uncertain', then as remind_due from
-- the steps on. Returns {'OK'} | {'STALE'}.
local item, step, anchor, fence, outcome = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now, conf = redis_now(), conf_of(6)
local st = load_packed(K.remind, item)
if not st or st.f ~= fence or st.s ~= step or st.r ~= 1 or int(st.a) ~= anchor then
    return {'STALE'}
end
local a = item_about(item, conf) or {kind = '', agent = '', team = '', shop = '', conv = '', cust = '', from = st.a, ref = ''}
a.anchor, a.to = st.a, ''
record(item, a, step, outcome, {'fence', int(fence), 'node', st.n}, now)
if outcome ~= 'delivered' and st.c == 1 and a.kind ~= '' then -- the chat was to show it: the next channel
    tell_hooks(item, a, step, 'agent', now)
end
st.s, st.l, st.r, st.c = step + 1, 0, 0, 0
call('HSET', K.remind, item, pack(st))
look_at(item, now)
return {'OK'}
