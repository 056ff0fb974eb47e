-- needs: names lib conv_form conv zone figures figures_fold:buckets figures_fold:figures_fold
-- What one shard holds, in pieces that move_in.lua takes, for a move to another number of shards; writes nothing but the
-- log of figures into their hashes. The gateways are stopped. ARGV: kind, cursor (0 at first). Returns {next cursor or '0',
-- {customer, piece}…}; for the kind 'unknown' {'0', {name}…} of keys that this program cannot move, for 'held_open'
-- {'0', {number}} of waiting messages.
local COUNT = 100
local kind, cursor = ARGV[1], ARGV[2]
local rows = {'0'}
local STAY = {applied = true, rings = true, stream = true}
local MOVED = {info = true, conv = true, conv_at = true, waiting = true, due = true, cust = true, cust_at = true,
    case = true, case_open = true, case_done = true, remind = true, remind_at = true, agents = true, rounds = true,
    held = true, held_at = true, held_done = true, held_tell = true, hook = true, hook_at = true, hook_urgent = true,
    said = true, said_at = true, said_new = true, seals = true,
    win = true, figlog = true}

local function give(customer, piece)
    rows[#rows + 1] = {customer, pack(piece)}
end

local function slice(command, key, fn)
    local got = call(command, key, cursor, 'COUNT', COUNT)
    rows[1] = got[1]
    for i = 1, #got[2], 2 do
        fn(got[2][i], got[2][i + 1])
    end
end

local function reminder(list, item)
    local at, state = call('ZSCORE', K.remind_at, item), call('HGET', K.remind, item)
    if at or state then
        list[#list + 1] = {item, at or '', state or ''}
    end
end

local ask = {}

function ask.unknown()
    for _, key in ipairs(KEYS) do
        local name = string.match(key, '}:(.*)$')
        local figures = string.match(name, '^hours:') or string.match(name, '^days:')
        if not figures and not STAY[name] and not MOVED[name] and call('EXISTS', key) == 1 then
            rows[#rows + 1] = {name}
        end
    end
end

function ask.held_open()
    rows[2] = {call('ZCARD', K.held_at)}
end

function ask.conv()
    slice('HSCAN', K.conv, function(id, value)
        local c = conv_table(value)
        local due, rem, win = {}, {}, {}
        local fields = {}
        for slot = 1, CONV_SLOTS do
            fields[slot] = id .. '\n' .. slot - 1
        end
        for slot, text in ipairs(call('HMGET', K.win, unpack(fields))) do
            win[slot] = text or ''
        end
        for _, p in ipairs(c.t.p or {}) do
            local at = call('ZSCORE', K.due, id .. '\n' .. p[3])
            if at then
                due[#due + 1] = {id .. '\n' .. p[3], at}
            end
            reminder(rem, 'p\n' .. id .. '\n' .. p[3])
            reminder(rem, 'P\n' .. id .. '\n' .. p[3])
        end
        reminder(rem, 'w\n' .. id)
        give(c.cu, {k = 'conv', id = id, v = value, at = call('ZSCORE', K.conv_at, id) or '',
            wait = call('ZSCORE', K.waiting, id) or '', due = due, rem = rem,
            win = win})
    end)
end

function ask.cust()
    slice('HSCAN', K.cust, function(customer, value)
        give(customer, {k = 'cust', id = customer, v = value, at = call('ZSCORE', K.cust_at, customer) or ''})
    end)
end

function ask.case()
    slice('HSCAN', K.case, function(id, value)
        local rem = {}
        for _, kind in ipairs({'c\n', 'n\n', 'v\n'}) do
            reminder(rem, kind .. id)
        end
        give(unpack_mp(value).cu, {k = 'case', id = id, v = value, open = call('ZSCORE', K.case_open, id) or '',
            done = call('ZSCORE', K.case_done, id) or '', rem = rem})
    end)
end

function ask.held()
    slice('HSCAN', K.held, function(id, value)
        if string.sub(id, 1, 1) ~= '#' then
            give(unpack_mp(value).cu, {k = 'held', id = id, v = value, done = call('ZSCORE', K.held_done, id) or '',
                tell = call('ZSCORE', K.held_tell, id) or ''})
        end
    end)
end

local function speaker(conv)
    local head = load_packed(K.said, conv)
    return head and head.cu or conv
end

function ask.said()
    slice('HSCAN', K.said, function(id, value)
        give(speaker(string.match(id, '^(.*)\n%d+$') or id), {k = 'said', id = id, v = value,
            at = call('ZSCORE', K.said_at, id) or '', new = call('ZSCORE', K.said_new, id) or ''})
    end)
end

function ask.seals()
    local got = call('XRANGE', K.seals, cursor == '0' and '-' or '(' .. cursor, '+', 'COUNT', COUNT)
    for _, e in ipairs(got) do
        give(speaker(e[2][2]), {k = 'seals', v = e[2]})
    end
    rows[1] = #got == COUNT and got[COUNT][1] or '0'
end

function ask.hook()
    slice('HSCAN', K.hook, function(id, value)
        local e, at, customer = unpack_mp(value), {}, ''
        local queue = e.u == 1 and K.hook_urgent or K.hook_at
        for target in pairs(e.d or {[''] = true}) do
            at[target] = call('ZSCORE', queue, target .. '\n' .. id) or nil
        end
        for i = 1, #e.f, 2 do
            customer = e.f[i] == 'cust' and e.f[i + 1] or customer
        end
        give(customer, {k = 'hook', id = id, v = value, u = e.u, at = at})
    end)
end

function ask.agents()
    slice('HSCAN', K.agents, function(name, value)
        give('', {k = 'agents', id = name, v = value})
    end)
end

function ask.rounds()
    slice('ZSCAN', K.rounds, function(member, at)
        give(unpack_mp(member)[2], {k = 'rounds', v = member, at = at})
    end)
end

function ask.info()
    local got = call('HGETALL', K.info)
    for i = 1, #got, 2 do
        give('', {k = 'info', id = got[i], v = got[i + 1]})
    end
end

-- Figures: kind is the key's name, for example hours:3.
local function figures()
    figures_fold()
    for i, key in ipairs(KEYS) do
        if string.match(key, '}:(.*)$') == kind then
            local held = call('HGET', key, '#')
            slice('HSCAN', key, function(field, value)
                if field ~= '#' then
                    give('', {k = 'figures', i = i, held = held, id = field, v = value})
                end
            end)
        end
    end
end

(ask[kind] or figures)()
return rows
