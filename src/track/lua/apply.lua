-- needs: lib zone rounds stats measure plain apply_put rare:hook rare:cases rare:promise rare:held rare:said rare:apply_rare
-- Applies records of one ring to one shard, each exactly once (docs/redis.md).
-- ARGV: schema version, ring id, offset_ms (Redis TIME minus the gateway's clock), node id, records as frames one behind
-- the other (6 bytes number, 2 bytes length, event), the zone of days (zone.lua), how replies are measured (measure.lua), 1 or
-- 4: into how many parts days of these zones cut an hour, the shops with days of their own ('-': none; '': as it was told
-- before), what its plain messages count as (an entry of the log of figures, see stats.lua: `in` of customers, `pass` of agents, those of which
-- no action and no rule is told; only if the numbers follow one another; '': the script counts), how many of the conversations
-- that follow have more than one plain record here, the conversations that the records are about, or some of them.
-- Returns {last applied, applied, duplicates, 'OK' | 'GAP' | 'VERSION'}.
local REPLAYED, REPLY = 2, 3
local oldest = {now - LATE_MS, now - NOT_LIVE_MS, now - LATE_MS}
local is_counted = counts ~= '' and #frames > FRAME and sunpack('>I6', frames) == last + 1
local can_step = not (note_open or note_more or note_reply)

-- Plain messages are told in the stream as they came, all of a call in one entry; at `run` those begin that are not in
-- `pieces` yet. What a rule hit has an entry of its own as well, with the same id; copies and all other records that alone.
local size, pos, begun, run, pieces, told_first, told_at_first = #frames, 1, 1, 1, {}, nil, nil
local applied, dups, status, is_decoding = 0, 0, 'OK', false

do
    local function leave_out(from, behind)
        if from > run then
            pieces[#pieces + 1] = sub(frames, run, from - 1)
        end
        run = behind
    end

    -- Written at once: should the script fail behind it, it is written again, with the same id.
    local function tell(number, how, what, at, conv, key, who, due, rule, flags, act, cust, sender, rv, rules, shadow)
        local e, n = {'XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', ring .. ':' .. SHARD .. ':' .. int(number), 'k',
            what <= REPLAYED and 'in' or 'out', 'at', int(at), 'node', node, 'conv', conv}, 16
        local function put_text(name, v)
            if v and v ~= '' then
                e[n + 1], e[n + 2] = name, v
                n = n + 2
            end
        end
        local agent, team, shop = unpack_mp(who)
        put_text('cust', cust)
        put_text('mid', byte(key, 3) ~= 9 and sub(key, 3))
        put_text('agent', agent)
        put_text('team', team)
        put_text('shop', shop)
        put_text('rules', rules)
        put_text('shadow', shadow)
        put_text('rv', rv)
        put_text('dup', (how == 'dup' or how == 'moved') and '1')
        if what <= REPLAYED then
            put_text('sender', sender)
            put_text('live', flags == 1 and '1')
        else
            put_text('act', act ~= 0 and int(act))
            put_text('dlv', flags % 2 == 1 and '1')
            put_text('human', flags % 4 >= 2 and '1')
            put_text('ackonly', flags >= 4 and '1')
            put_text('due', due > 0 and int(due))
            put_text('prule', due > 0 and rule)
        end
        call(unpack(e, 1, n))
    end

    -- A record that does not have the next number is passed over, or ends the call.
    local function not_next(number, from)
        leave_out(from, pos)
        if number <= last then
            dups = dups + 1
        else
            status = 'GAP'
        end
    end

    local function is_next(number, from)
        if number ~= last + 1 then
            return not_next(number, from)
        end
        last, applied = number, applied + 1
        return true
    end

    -- What the gateway counted is not so, or was at another time.
    local function correct(what, at, who, by)
        add_count(figures_of(at, who), what <= REPLAYED and 'in' or 'pass', by)
    end

    -- A plain message with no more to say: it counts as one, in most calls the gateway counted it.
    local function count_plain(number, how, what, at, told_at, who)
        if not told_first then
            told_first, told_at_first = number, at
        end
        local is_one = how == 'new' or what > REPLAYED
        if is_counted and (at ~= told_at or not is_one) then
            correct(what, told_at, who, -1)
        end
        if is_one and (not is_counted or at ~= told_at) then
            correct(what, at, who, 1)
        end
    end

    local function put_plain(h, conv, at, code, key, who, due, ob, oc, fp, record, rest)
        local r = due > 0 and record_read(record, 1) or {at, code % 8, key, who, code >= 8 and 1 or 0, due, '', '', ob, oc}
        r[11] = record
        if h.total == 0 and h.cu == '' then
            local _, _, customer = sunpack(PLAIN_REST, frames, rest)
            h.cu = customer
        end
        return r, put_record(h, conv, r, fp)
    end

    -- What a rule hit, what was not passed, copies: they count by themselves and have an entry of their own in the stream.
    local function account(number, how, was, what, at, told_at, marks, from, conv, key, who, due, r, record, rest)
        local flags, act, customer, sender, rv, rules, shadow = sunpack(PLAIN_REST, frames, rest)
        if is_counted and marks == 0 then
            correct(what, told_at, who, -1)
        end
        if what <= REPLAYED then
            count_in(how, was, at, who, rules, shadow)
        else
            count_out(how, at, who, act, rules, shadow)
        end
        if how == 'dup' or how == 'moved' then
            leave_out(from, pos)
        end
        tell(number, how, what, at, conv, key, who, due, due > 0 and (r or record_read(record, 1))[8], flags, act, customer, sender, rv, rules, shadow)
    end

    local function take_plain(from)
        local number, len, kind, fp, n, conv, at, code, times, key, who = sunpack(PLAIN, frames, from)
        local begin = from + PLAIN_RECORD + #conv
        pos = from + FRAME + len
        if number ~= last + 1 then
            return not_next(number, from)
        end
        last, applied = number, applied + 1
        local rest, marks = begin + n, kind % 256
        local what = (kind - marks) / 256 - FORM_PLAIN * 256
        local record = sub(frames, begin, rest - 1)
        if rest > pos or what < 1 or what > 4 then
            error('no event')
        end
        is_decoding = false
        local told_at, due, ob, oc = at, 0, 0, 0
        if times ~= NO_TIMES then
            due, ob, oc = sunpack('>I6I6I4', times)
        end
        if at > now then
            at = not_ahead(at, what <= REPLAYED)
            record = spack('>I6', at) .. sub(record, 7)
        end
        local how, was, r = 'new', nil, nil
        if what <= REPLY and at < oldest[what] then
            how = 'late'
            count(how, 1)
        elseif what <= REPLY then
            local h, text = convs[conv], can_step and due == 0 and heads_read[conv]
            if h or not text or heads[text] or
                not step_quickly(conv, text, at, what <= REPLAYED, code >= 8, who, ob, oc, fp, record) then
                r, how, was = put_plain(h or conv_get(conv, ''), conv, at, code, key, who, due, ob, oc, fp, record, rest)
            end
        end
        if marks == 0 and (how == 'new' or how == 'late') then
            return count_plain(number, how, what, at, told_at, who)
        end
        account(number, how, was, what, at, told_at, marks, from, conv, key, who, due, r, record, rest)
    end

    local function take_other(from)
        local number, len = sunpack('>I6H', frames, from)
        pos = from + FRAME + len
        if is_next(number, from) then
            leave_out(from, pos)
            local ev = rare().read(sub(frames, from + FRAME, pos - 1))
            is_decoding = false
            if not rare().take(ev, number) then
                count('bad', 1)
            end
        end
    end

    local function apply_rest()
        while pos <= size and status == 'OK' do
            is_decoding, begun = true, pos
            if byte(frames, pos + FRAME) == FORM_PLAIN then
                take_plain(pos)
            else
                take_other(pos)
            end
        end
        is_decoding = false
    end

    -- A record that cannot be read is passed over: its number is counted.
    local function pass_over()
        if pos == begun then
            local fine, number, len = pcall(sunpack, '>I6H', frames, pos)
            pos = fine and pos + FRAME + len or size + 1
            if fine and not is_next(number, begun) then
                return
            end
        end
        leave_out(begun, pos)
        count('bad', 1)
    end

    convs_load()
    -- One protected call for all, not one for each.
    repeat
        local fine, trouble = pcall(apply_rest)
        if not fine then
            if not is_decoding then
                error(trouble, 0)
            end
            pass_over()
        end
    until fine
    if run > 1 or pos <= size then -- else the stream gets what came, and nothing is copied
        leave_out(pos, pos)
    end
end
if applied == 0 then
    return {last, 0, dups, status}
end

-- From here on only writes, and reads for the bounds.
local zadd = {} -- commands with many members, by key: {command, key, …}
local function later(lists, command, key, a, b)
    local l = lists[key]
    if not l then
        l = {command, key}
        if key == K.remind_at then
            l[3] = 'LT' -- it is looked at then, or before
        end
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
if told_first then
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', ring .. ':' .. SHARD .. ':' .. int(told_first), 'k', 'batch', 'at',
        int(told_at_first), 'node', node, 'b', run == 1 and frames or concat(pieces))
end
local events = call('HINCRBY', K.info, 'events', applied)
if held ~= SCHEMA and held < SCHEMA or not known[1] then
    call('HSET', K.info, 'schema', SCHEMA)
end
if case_seq then
    call('HSET', K.info, 'case_seq', int(case_seq))
end
if zone ~= (known[5] or '') or measure ~= (known[6] or '') then
    call('HSET', K.info, 'zone', zone, 'tracking', measure, 'tracking_at', int(now))
end
if zones ~= '' and zones ~= (call('HGET', K.info, 'zones') or '-') then
    call('HSET', K.info, 'zones', zones, 'tracking_at', int(now))
end

do
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
        if h.since == 0 then
            return note_end(id)
        end
        note_begin(id, h.since)
        local item = 'w\n' .. id
        local r = h.was_since > 0 and not h.closed and load_packed(K.remind, item)
        if r and r.a == h.was_since then -- the same round, only it began earlier: its steps stay done
            r.a = h.since
            call('HSET', K.remind, item, pack(r))
        end
    end

    local function write_conv(id, h)
        note_time(id, h.top, h.was_top)
        if h.p ~= h.was_p then
            write_promises(id, h.was_p, h.p)
        end
        if h.since ~= h.was_since then
            write_waiting(id, h)
        end
        if h.win then
            for slot, text in pairs(h.win) do
                wins[n_wins + 1], wins[n_wins + 2] = id .. SLOT_NAMES[slot], text
                n_wins = n_wins + 2
            end
        end
        heads[n_heads + 1], heads[n_heads + 2] = id, head_pack(h)
        n_heads = n_heads + 2
    end

    for id, h in pairs(convs) do
        if h.is_changed then
            write_conv(id, h)
        end
    end
end
local function send_closed()
    if n_closed > 2 then
        call(unpack(closed, 1, n_closed))
        n_closed = 2
    end
end

for name, a in pairs(agents) do
    call('HSET', K.agents, name, pack(a))
end
for _, r in ipairs(moved_rounds) do
    if r[1] > 0 then
        closed[n_closed + 1], closed[n_closed + 2] = int(r[2]), r[3]
        n_closed = n_closed + 2
    end
    if r[1] < 0 or n_closed > 2000 then
        send_closed() -- it may have been added before it is taken back
    end
    if r[1] < 0 then
        call('ZREM', K.rounds, r[3], r[4])
    end
end
send_closed()
send(zadd)
if n_ats > 2 then
    call(unpack(ats, 1, n_ats))
end
earlier[#earlier + 1] = {waits, looks, ends}
for _, lists in ipairs(earlier) do
    for _, l in ipairs(lists) do
        if #l > 3 or #l > 2 and l == lists[3] then
            call(unpack(l))
        end
    end
end
if n_heads > 2 then
    call(unpack(heads, 1, n_heads))
end
for first = 3, n_wins, 2000 do
    call('HSET', K.win, unpack(wins, first, math.min(first + 1999, n_wins)))
end
if next(custs) then
    rare().custs_write()
end
if next(helds) then
    rare().helds_write()
end
if next(saids) then
    rare().saids_write()
end
figures_log(is_counted and counts)
local folded, folded_at = tonumber(known[3] or '0'), tonumber(known[4] or '0')
if events - folded >= FOLD_EVENTS or now - folded_at >= FOLD_MS or now < folded_at then
    call('HSET', K.info, 'folded', events, 'folded_at', int(now))
    figures_fold()
end
if floor(events / SWEEP_EVENTS) ~= floor((events - applied) / SWEEP_EVENTS) or now - tonumber(known[2] or '0') >= SWEEP_MS then
    rare().sweep(events)
    figures_log() -- what was forgotten may have counted
end
for what, by in pairs(info) do
    call('HINCRBY', K.info, what, int(by))
end
return {last, applied, dups, status}
