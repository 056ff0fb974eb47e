-- Script apply: writes what stands in tables.
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
        n_ends = n_ends + 1
        ends[n_ends] = id
        return
    end
    wait_begin(id, h.since)
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

local function send_closed()
    if n_closed > 2 then
        call(unpack(closed, 1, n_closed))
        n_closed = 2
    end
end

local function write_rounds()
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
end

-- Before the lists that apply_call.lua begins.
local function write_first()
    for id, h in pairs(convs) do
        if h.is_changed then
            write_conv(id, h)
        end
    end
    if case_seq then
        call('HSET', K.info, 'case_seq', int(case_seq))
    end
    for name, a in pairs(agents) do
        call('HSET', K.agents, name, pack(a))
    end
    write_rounds()
    send(zadd)
end

local function write_last()
    if next(custs) then
        rare().custs_write()
    end
    if next(helds) then
        rare().helds_write()
    end
    if next(saids) then
        rare().saids_write()
    end
end

local function write_info()
    for what, by in pairs(info) do
        call('HINCRBY', K.info, what, int(by))
    end
end

return {take_plain = take_plain, take_other = take_other, not_next = not_next, account = account, correct = correct,
    leave_out = leave_out, pass_over = pass_over, write_first = write_first, write_last = write_last, write_info = write_info,
    rare = rare}
