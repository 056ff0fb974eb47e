-- needs: lib zone rounds stats measure apply_put rare:hook rare:cases rare:promise rare:held rare:said rare:apply_rare
-- Applies records of one ring to one shard, each exactly once (docs/redis.md).
-- ARGV: schema version, ring id, offset_ms (Redis TIME minus the gateway's clock), node id, n, then n times: sequence
-- number, packed event; then the zone of days (zone.lua) and how replies are measured (measure.lua). Returns {last applied, applied, duplicates, 'OK' | 'GAP' | 'VERSION'}.
-- ---- messages in the short form (event.h) ----

local id_prefix = ring .. ':' .. SHARD .. ':'

-- Entries of the stream are written at once, those of short messages from one list that is used again and again: garbage
-- costs more than all else here. Should the script fail behind one, it is written again, with the same id.
local entry, at_entry = {'XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*'}, 6
local record = {}

local function put_text(name, v)
    if v ~= '' then
        entry[at_entry + 1], entry[at_entry + 2] = name, v
        at_entry = at_entry + 2
    end
end

local function new_entry(id, kind, at, conv, cust, mid, agent, team, shop, rules, shadow, rv, how)
    local e = entry
    e[7], e[8], e[9], e[10], e[11], e[12], e[13], e[14], e[15], e[16] = 'id', id, 'k', kind, 'at', int(at), 'node', node, 'conv',
        conv
    at_entry = 16
    put_text('cust', cust)
    put_text('mid', mid)
    put_text('agent', agent)
    put_text('team', team)
    put_text('shop', shop)
    put_text('rules', rules)
    put_text('shadow', shadow)
    put_text('rv', rv)
    if how == 'dup' or how == 'moved' then
        put_text('dup', '1')
    end
end

local function end_entry()
    call(unpack(entry, 1, at_entry))
end

local function new_record(at, order, key, who, ack, due, th, rule, ob, oc)
    local r = record
    r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10] = at, order, key, who, ack, due, th, rule, ob, oc
    return r
end

local function short_in(id, at0, flags, agent, team, shop, conv, cust, mid, sender, rules, shadow, rv, th, fp, ob, oc)
    local at, is_live = at0, flags == 1
    if is_live then
        at = at + offset
    end
    at = at > now and now or at
    local who = who_of(agent, team, shop)
    local key = mid ~= '' and 'i:' .. mid or 'i:\t' .. sender .. '\t' .. int(at0) .. '\t' .. th
    local how, was = put(conv, cust, is_live, new_record(at, IN, key, who, 0, 0, '', '', ob or 0, oc or 0), fp)
    count_in(how, was, at, who, rules, shadow)
    new_entry(id, 'in', at, conv, cust, mid, agent, team, shop, rules, shadow, rv, how)
    put_text('sender', sender)
    put_text('live', is_live and '1' or '')
    end_entry()
end

local function short_out(id, at0, flags, agent, team, shop, conv, cust, mid, act, rules, shadow, rv, th, fp, ob, oc, due, rule)
    local at, how = math.min(at0 + offset, now), 'new'
    local who = who_of(agent, team, shop)
    if flags % 4 == 3 then -- delivered, by a human
        local key = mid ~= '' and 'o:' .. mid or 'o:\t' .. agent .. '\t' .. int(at0) .. '\t' .. th
        how = put(conv, cust, true,
            new_record(at, OUT, key, who, flags >= 4 and 1 or 0, due or 0, th, rule or '', ob or 0, oc or 0), fp)
    end
    count_out(how, at, who, act, rules, shadow)
    new_entry(id, 'out', at, conv, cust, mid, agent, team, shop, rules, shadow, rv, how)
    put_text('act', act ~= 0 and act or '')
    put_text('dlv', flags % 2 == 1 and '1' or '')
    put_text('human', flags % 4 >= 2 and '1' or '')
    put_text('ackonly', flags >= 4 and '1' or '')
    if due and due > 0 then
        put_text('due', int(due))
        put_text('prule', rule)
    end
    end_entry()
end

local applied, dups, status, i, is_decoding = 0, 0, 'OK', 0, false

local function apply_rest()
    while i < n do
        i = i + 1
        local number = ARGV[4 + 2 * i]
        local seq = tonumber(number)
        if seq <= last then
            dups = dups + 1
        elseif seq > last + 1 then
            status = 'GAP'
            return
        else
            last, applied, is_decoding = seq, applied + 1, true
            local k, at, flags, agent, team, shop, conv, cust, mid, sender, act, rules, shadow, rv, th, fp, ob, oc, due, rule =
                unpack_mp(ARGV[5 + 2 * i])
            is_decoding = false
            if k == 'in' and fp then
                short_in(id_prefix .. number, at, flags, agent, team, shop, conv, cust, mid, sender, rules, shadow, rv, th, fp,
                    ob, oc)
            elseif k == 'out' and fp then
                short_out(id_prefix .. number, at, flags, agent, team, shop, conv, cust, mid, act, rules, shadow, rv, th, fp,
                    ob, oc, due, rule)
            elseif type(k) ~= 'table' or not rare().take(k, number) then
                count('bad', 1)
            end
        end
    end
end

-- One protected call for all, not one for each: a record that cannot be read is passed over.
local fine, trouble
repeat
    fine, trouble = pcall(apply_rest)
    if not fine then
        if not is_decoding then
            error(trouble, 0)
        end
        is_decoding = false
        count('bad', 1)
    end
until fine
if applied == 0 then
    return {last, 0, dups, status}
end

-- From here on only writes, and reads for the bounds.
local zadd, zrem, hset = {}, {}, {} -- commands with many members, by key: {command, key, …}
local function later(lists, command, key, a, b)
    local l = lists[key]
    if not l then
        l = {command, key}
        lists[key] = l
    end
    local n = #l
    l[n + 1], l[n + 2] = a, b
    if n > 2000 then
        call(unpack(l))
        lists[key] = nil
    end
end

local function send(lists)
    for key, l in pairs(lists) do
        call(unpack(l))
        lists[key] = nil
    end
end

call('HSET', K.applied, ring, int(last))
local events = call('HINCRBY', K.info, 'events', applied)
if held ~= SCHEMA and held < SCHEMA or not known[1] then
    call('HSET', K.info, 'schema', SCHEMA)
end
if case_seq then
    call('HSET', K.info, 'case_seq', int(case_seq))
end
if zone ~= (known[5] or '') or measure ~= (known[6] or '') then
    call('HSET', K.info, 'zone', zone, 'tracking', measure)
end

local function promises_of(packed)
    local keys = {}
    for _, p in ipairs(packed ~= '' and unpack_mp(packed) or {}) do
        keys[p[3]] = p[2]
    end
    return keys
end

local function write_promises(id, was, is)
    was, is = promises_of(was), promises_of(is)
    for key, at in pairs(is) do
        if not was[key] then
            later(zadd, 'ZADD', K.due, int(at), id .. '\n' .. key)
            later(zadd, 'ZADD', K.remind_at, int(now), 'p\n' .. id .. '\n' .. key)
        end
    end
    for key in pairs(was) do
        if not is[key] then
            rare().promise_forget(id, key)
        end
    end
end

local function write_waiting(id, h)
    local item = 'w\n' .. id
    if h.since == 0 then
        later(zrem, 'ZREM', K.waiting, id)
        return
    end
    later(zadd, 'ZADD', K.waiting, int(h.since), id)
    later(zadd, 'ZADD', K.remind_at, int(h.since), item)
    local r = h.was_since > 0 and not h.closed and load_packed(K.remind, item)
    if r and r.a == h.was_since then -- the same round, only it began earlier: its steps stay done
        r.a = h.since
        call('HSET', K.remind, item, pack(r))
    end
end

-- `expires` is not moved by less than an hour: the sweep looks closer (keep_until).
local function write_conv(id, h)
    if h.top + CONV_IDLE_MS > h.exp + CONV_SLACK_MS then
        h.exp = h.top + CONV_IDLE_MS + CONV_SLACK_MS
        later(zadd, 'ZADD', K.conv_at, int(h.exp), id)
    end
    if h.p ~= h.was_p then
        write_promises(id, h.was_p, h.p)
    end
    if h.since ~= h.was_since then
        write_waiting(id, h)
    end
    if h.win then
        for slot, text in pairs(h.win) do
            later(hset, 'HSET', K.win, id .. '\n' .. slot, text)
        end
    end
    later(hset, 'HSET', K.conv, id, head_pack(h))
end

for id, h in pairs(convs) do
    if h.is_changed then
        write_conv(id, h)
    end
end
for name, a in pairs(agents) do
    call('HSET', K.agents, name, pack(a))
end
for _, r in ipairs(moved_rounds) do
    if r[1] > 0 then
        later(zadd, 'ZADD', K.rounds, int(r[2]), r[3])
    else
        send(zadd) -- it may have been added before it is taken back
        call('ZREM', K.rounds, r[3])
    end
end
send(zadd)
send(zrem)
send(hset)
if next(custs) then
    rare().custs_write()
end
if next(helds) then
    rare().helds_write()
end
if next(saids) then
    rare().saids_write()
end
figures_log()
local folded, folded_at = tonumber(known[3] or '0'), tonumber(known[4] or '0')
if events - folded >= FOLD_EVENTS or now - folded_at >= FOLD_MS or now < folded_at then
    call('HSET', K.info, 'folded', events, 'folded_at', int(now))
    figures_fold()
end
if floor(events / SWEEP_EVENTS) ~= floor((events - applied) / SWEEP_EVENTS) or now - tonumber(known[2] or '0') >= SWEEP_MS then
    rare().sweep()
    figures_log() -- what was forgotten may have counted
end
for what, by in pairs(info) do
    call('HINCRBY', K.info, what, int(by))
end
return {last, applied, dups, status}
