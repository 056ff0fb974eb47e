-- Transcripts, where the deployment keeps them. Hash `said`: 'CONVERSATION' is its head {cu customer, n entries so far,
-- c newest piece, f oldest piece, sn entries that a seal covers, sh the chain's head there}, 'CONVERSATION\nPIECE' a piece:
-- a list of at most 16 entries {no, at, k, agent, sender, act, dlv, edit, mid, rules, text, cut, stored at, held id}, all
-- strings but no, in the order in which they came.
local SAID_PIECE, SAID_PIECES_MAX, SAID_ALL_MAX = 16, 400, 100000
local SAID_NONE = string.rep('0', 64) -- head of an empty chain

local function said_str(v)
    return type(v) == 'string' and v or ''
end

local function said_flag(v)
    return v == true and '1' or ''
end

local function said_entry(no, ev, at, now)
    local act = type(ev.act) == 'number' and floor(ev.act) or 0
    local text, cut = said_str(ev.text), said_flag(ev.tcut)
    if said_str(ev.hraw) ~= '' then
        text = said_str(ev.htext)
    end
    return {no, int(at), said_str(ev.k), said_str(ev.agent), said_str(ev.sender),
        ev.k == 'out' and (({[0] = 'pass', 'warn', 'rewrite', 'hold', 'block'})[act] or 'pass') or '', said_flag(ev.dlv),
        said_flag(ev.edit), said_str(ev.mid), said_str(ev.rules), text, cut, int(now), said_str(ev.hid)}
end

local function said_drop(conv, piece)
    call('HDEL', K.said, conv .. '\n' .. piece)
    call('ZREM', K.said_at, conv .. '\n' .. piece)
end

-- A piece is forgotten; with its last piece the whole conversation, unless a seal is still to come.
local function said_forget(member)
    local conv, piece = string.match(member, '^(.*)\n(%d+)$')
    if not conv then
        call('ZREM', K.said_at, member)
        return
    end
    said_drop(conv, piece)
    local head = load_packed(K.said, conv)
    if head and tonumber(piece) >= head.f then
        head.f = tonumber(piece) + 1
        if head.f > head.c then
            call('HDEL', K.said, conv)
            call('ZREM', K.said_new, conv)
        else
            call('HSET', K.said, conv, pack(head))
        end
    end
end

local function said_write(list, now)
    local heads, pieces, keep = {}, {}, 0
    for _, e in ipairs(list) do
        local ev, at = e[1], e[2]
        local conv = said_str(ev.conv)
        if conv ~= '' and not string.find(conv, '\n', 1, true) then
            local h = heads[conv] or load_packed(K.said, conv) or
                {cu = said_str(ev.cust), n = 0, c = 0, f = 0, sn = 0, sh = SAID_NONE}
            heads[conv] = h
            local key = conv .. '\n' .. int(h.c)
            local p = pieces[key] or load_packed(K.said, key) or {}
            if #p >= SAID_PIECE then
                h.c = h.c + 1
                key, p = conv .. '\n' .. int(h.c), {}
            end
            h.n = h.n + 1
            p[#p + 1] = said_entry(h.n, ev, at, now)
            pieces[key] = p
            keep = math.max(keep, ev.tkeep)
        end
    end
    for key, p in pairs(pieces) do
        call('HSET', K.said, key, pack(p))
        call('ZADD', K.said_at, int(now + keep), key)
    end
    for conv, h in pairs(heads) do
        while h.c - h.f >= SAID_PIECES_MAX do
            said_drop(conv, int(h.f))
            h.f = h.f + 1
        end
        call('HSET', K.said, conv, pack(h))
        call('ZADD', K.said_new, 'NX', int(now), conv)
    end
    local old = call('ZRANGEBYSCORE', K.said_at, '-inf', int(now), 'LIMIT', 0, 16)
    if #old == 0 and call('ZCARD', K.said_at) > SAID_ALL_MAX then
        old = call('ZRANGE', K.said_at, 0, 15)
    end
    for _, member in ipairs(old) do
        said_forget(member)
    end
end

-- Entries of a conversation after number `from`, at most `most`.
local function said_entries(conv, head, from, most)
    local found = {}
    for piece = math.max(head.f, floor(from / SAID_PIECE)), head.c do
        if #found >= most then
            break
        end
        for _, e in ipairs(load_packed(K.said, conv .. '\n' .. int(piece)) or {}) do
            if e[1] > from and #found < most then
                found[#found + 1] = e
            end
        end
    end
    return found
end

local function said_row(e)
    local row = {int(e[1])}
    for i = 2, 14 do
        row[i] = e[i] or ''
    end
    return row
end
