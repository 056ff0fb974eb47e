-- needs: names lib conv_form conv zone hook remind
-- Just before a reminder goes out: is it still wanted, and does the claim still hold? Writes the step's one stream entry.
-- ARGV: item, step, anchor, fence, channel 'chat' | 'none', then as remind_due from the steps on. Returns
-- {'SEND'} show it now | {'NOTED'} nothing to show | {'UNCERTAIN'} an earlier node may have shown it | {'STALE'} | {'GONE'}.
local item, step, anchor, fence, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now = redis_now()
local a, st = item_next(item, conf_of(6))
if not a or a.step ~= step or int(a.anchor) ~= anchor then
    return {'GONE'}
end
if st.f ~= fence or st.l <= now then
    return {'STALE'}
end
local answer = channel == 'chat' and 'SEND' or 'NOTED'
if st.c == 1 then
    answer = 'UNCERTAIN'
end
if st.r == 0 then
    record(item, a, step, 'raised', {'fence', int(fence), 'node', st.n, 'channel', channel}, now)
    st.r = 1
    if answer ~= 'SEND' then
        tell_hooks(item, a, step, a.to, now)
    end
end
if answer == 'SEND' then
    st.c = 1
end
call('HSET', K.remind, item, pack(st))
return {answer}
