-- needs: names lib conv_form conv_text conv lists rounds late:rounds_late plain held said
-- Takes a customer out of a shard, a piece of one key at a time. ARGV: 'find' | 'erase' | 'count', key's name, cursor ('0' or
-- '' at first), 'all' | 'keep_open' (open cases and what belongs to them stay), the ids: the customer's, then those of the
-- conversations that are this customer's alone. Returns {next cursor or '', {'conv', id}…, {'erased' | 'kept', n}}; 'find'
-- only names conversations, 'count' changes nothing.
local BATCH, PLAIN_IN = 200, 2 -- kinds of plain messages up to this one are customers'
local phase, name, cursor, keeps_open = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == 'keep_open'
local key, customer, is_conv = K[name], ARGV[5], {}
for i = 6, #ARGV do
    is_conv[ARGV[i]] = true
end
local n_erased, n_kept, found = 0, 0, {}

local function act(fn, ...)
    n_erased = n_erased + 1
    if phase == 'erase' then
        fn(...)
    end
end

local function add_conv(id)
    if type(id) == 'string' and id ~= '' and not is_conv[id] then
        is_conv[id] = true
        found[#found + 1] = {'conv', id}
    end
end

-- Ids of customers, conversations and agents may be alike, and like any other text: customer 2, conversation 2, severity 2.
-- So it counts where the id stands.

-- Who wrote, in the key of a message without an id: 'i:\tSENDER\tTIME\tHASH'.
local function wrote(text)
    return type(text) == 'string' and string.match(text, '^i:\t([^\t]*)\t') == customer
end

-- Is this one of the ids, in a field of that name?
local function is_ours(field, v)
    if field == 'cu' or field == 'cust' or field == 'customer' then
        return v == customer
    end
    if field == 'cv' or field == 'conv' or field == 'conversation' then
        return is_conv[v] or false
    end
    return wrote(v)
end

-- In a map, or in a list of names and values, one behind the other. What an agent sent has the agent for its sender.
local function mentions(v)
    local is_in = false
    for a, b in pairs(v) do
        is_in = is_in or (b == 'in' and (a == 'k' or (type(a) == 'number' and v[a - 1] == 'k')))
        if type(b) == 'table' and mentions(b) or wrote(a) or is_ours(a, b) then
            return true
        end
    end
    for a = 2, #v, 2 do
        if is_ours(v[a - 1], v[a]) or (is_in and v[a - 1] == 'sender' and v[a] == customer) then
            return true
        end
    end
    return false
end

-- The same, among the records of a room.
local function stands_in(bytes)
    return string.find(bytes, 'i:\t' .. customer .. '\t', 1, true)
end

-- The same value with the ids put out of it.
local function without(v)
    local copy = {}
    for a, b in pairs(v) do
        if type(b) == 'table' then
            b = without(b)
        elseif wrote(b) then
            b = 'erased:' .. redis.sha1hex(b)
        elseif is_ours(a, b) then
            b = 'erased'
        end
        copy[wrote(a) and 'erased:' .. redis.sha1hex(a) or a] = b
    end
    return copy
end

-- The conversation of a reminder's item or of a decision about one; nil: it is a case's.
local function conv_of(item)
    return string.match(item, '^w\n(.*)$') or string.match(item, '^[pP]\n(.-)\n')
end

-- Does the customer still have an open case? Then what belongs to it stays.
local function has_open_case()
    for _, id in ipairs(keeps_open and call('ZRANGE', K.case_open, 0, -1) or {}) do
        local c = load_packed(K.case, id)
        if c and c.cu == customer then
            return true
        end
    end
    return false
end

local hash = {}

function hash.conv(id, c, raw)
    if c.cu == customer then
        add_conv(id)
    end
    if is_conv[id] or c.cu == customer then
        act(call, 'HDEL', key, id)
    elseif stands_in(raw) then -- a room: its rounds go on, its recent events are forgotten
        local h = string.byte(raw) == 2 and conv_from_2(raw, id) or head_unpack(raw)
        conv_forget_window(h)
        h.extra = h.extra ~= '' and pack(without(unpack_mp(h.extra))) or ''
        act(call, 'HSET', key, id, head_pack(h))
    end
end

function hash.win(field, raw)
    local conv = string.match(field, '^(.*)\n%d+$')
    if is_conv[conv] or stands_in(raw) then
        act(call, 'HDEL', key, field)
    end
end

function hash.cust(id, c)
    if id == customer and not has_open_case() then
        act(call, 'HDEL', key, id)
    elseif id == customer then
        n_kept = n_kept + 1
    elseif mentions(c) then
        act(call, 'HSET', key, id, pack(without(c)))
    end
end

function hash.case(id, c)
    if c.cu ~= customer then
        if mentions(c) then
            act(call, 'HSET', key, id, pack(without(c)))
        end
        return
    end
    add_conv(c.cv)
    if keeps_open and call('ZSCORE', K.case_open, id) then
        n_kept = n_kept + 1
        return
    end
    act(function()
        call('HDEL', key, id)
        call('ZREM', K.case_open, id)
        call('ZREM', K.case_done, id)
        call('HDEL', K.remind, 'c\n' .. id)
        call('ZREM', K.remind_at, 'c\n' .. id)
    end)
end

function hash.remind(item)
    if is_conv[conv_of(item) or ''] then
        act(call, 'HDEL', key, item)
    end
end

function hash.held(id, h)
    if mentions(h) then
        act(held_forget, h)
    end
end

function hash.said(field, v)
    if v.cu == customer then
        add_conv(field)
    end
    if is_conv[string.match(field, '^(.*)\n%d+$') or field] or v.cu == customer then
        if has_open_case() then -- evidence of what is not settled
            n_kept = n_kept + 1
        else
            act(call, 'HDEL', key, field)
        end
        return
    end
    local is_changed = false
    for _, e in ipairs(v) do -- in a room: what this person wrote
        if type(e) == 'table' and e[3] == 'in' and e[5] == customer then
            e[5], e[11], e[12], is_changed = '', '', 'erased', true
        end
    end
    if is_changed then
        act(call, 'HSET', key, field, pack(v))
    end
end

function hash.hook(id, v)
    if mentions(v) then
        act(call, 'HDEL', key, id) -- its deliveries find nothing and go
    end
end

local function scan_hash()
    local page = call('HSCAN', key, cursor == '' and '0' or cursor, 'COUNT', BATCH)
    for i = 1, #page[2], 2 do
        local field, raw = page[2][i], page[2][i + 1]
        local fine, v = pcall(name == 'conv' and conv_table or unpack_mp, raw)
        if name == 'win' then
            hash.win(field, raw)
        elseif fine and type(v) == 'table' and not (name == 'held' and string.sub(field, 1, 1) == '#') then
            hash[name](field, v, raw)
        end
    end
    return page[1] == '0' and '' or page[1]
end

-- Members of indices, by the key.
local whose = {
    conv_at = function(m) return is_conv[m] end,
    waiting = function(m) return is_conv[m] end,
    cust_at = function(m) return m == customer end,
    due = function(m) return is_conv[string.match(m, '^(.-)\n') or ''] end,
    remind_at = function(m) return is_conv[conv_of(m) or ''] end,
    said_at = function(m) return is_conv[string.match(m, '^(.*)\n%d+$') or m] end,
    said_new = function(m) return is_conv[m] end,
}
local IS_EVIDENCE = {cust_at = true, said_at = true, said_new = true}

local function forget_round(member, score)
    local fine, r = pcall(unpack_mp, member)
    if not fine or not (is_conv[r[1]] or r[2] == customer) then
        return
    end
    r[1], r[2] = 'erased', 'erased'
    act(function()
        call('ZREM', key, member)
        call('ZADD', key, score, pack(r))
    end)
end

local function scan_zset()
    local page = call('ZSCAN', key, cursor == '' and '0' or cursor, 'COUNT', BATCH)
    for i = 1, #page[2], 2 do
        local member, score = page[2][i], page[2][i + 1]
        if name == 'rounds' then
            forget_round(member, score)
        elseif whose[name](member) and IS_EVIDENCE[name] and has_open_case() then
            n_kept = n_kept + 1
        elseif whose[name](member) then
            act(call, 'ZREM', key, member)
        end
    end
    return page[1] == '0' and '' or page[1]
end

-- Messages of several people in one entry: those of the others are told again, at the end of the stream.
local function scan_batch(at, f)
    local kept, first, gone, from = {}, nil, 0, 1
    while from <= #f.b do
        local number, len, kind, _, n, conv, _, _, _, message = sunpack(PLAIN, f.b, from)
        local what = floor(kind / 256) % 256
        local _, _, cust, sender = sunpack(PLAIN_REST, f.b, from + PLAIN_RECORD + #conv + n)
        if cust == customer then
            add_conv(conv)
        end
        if is_conv[conv] or cust == customer or (what <= PLAIN_IN and sender == customer) or wrote(message) then
            gone = gone + 1
        else
            first, kept[#kept + 1] = first or number, sub(f.b, from, from + FRAME + len - 1)
        end
        from = from + FRAME + len
    end
    if gone == 0 then
        return
    end
    n_erased = n_erased + gone - 1
    act(function()
        call('XDEL', key, at)
        if first then
            call('XADD', key, '*', 'id', string.match(f.id, '^(.*):%d+$') .. ':' .. int(first), 'k', 'batch', 'at', f.at, 'node',
                f.node, 'b', concat(kept))
        end
    end)
end

local function scan_stream()
    local page = call('XRANGE', key, cursor == '' and '-' or '(' .. cursor, '+', 'COUNT', BATCH)
    for _, e in ipairs(page) do
        local f = {}
        for i = 1, #e[2], 2 do
            f[e[2][i]] = e[2][i + 1]
        end
        if f.cust == customer then
            add_conv(f.conv)
        end
        if f.k == 'batch' then
            scan_batch(e[1], f)
        elseif mentions(e[2]) and name == 'seals' and has_open_case() then
            n_kept = n_kept + 1
        elseif mentions(e[2]) then
            act(call, 'XDEL', key, e[1])
        end
    end
    return #page < BATCH and '' or page[#page][1]
end

local next_cursor
if hash[name] then
    next_cursor = scan_hash()
elseif name == 'stream' or name == 'seals' then
    next_cursor = scan_stream()
else
    next_cursor = scan_zset()
end
local answer = {next_cursor}
for _, c in ipairs(found) do
    answer[#answer + 1] = c
end
answer[#answer + 1] = {'erased', int(n_erased)}
answer[#answer + 1] = {'kept', int(n_kept)}
return answer
