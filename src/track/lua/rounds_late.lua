-- Conversations as tables, what only late events, copies and refusals need.

-- Behind it: from where the records follow.
local function snap_unpack(text)
    local s, top, next_at = {}, nil, nil
    top, s.at, s.since, s.n, s.last, s.news, s.rep, s.so, s.sc, s.og, s.g, s.p, next_at = sunpack(SNAP, text)
    return top, s, next_at
end

local function records_into(list, text, from)
    while from <= #text do
        list[#list + 1], from = record_read(text, from)
    end
    return list
end

local function agent_of(who)
    return (unpack_mp(who))
end

-- Which records of the window were refused by the backend after all: by message id, else by text, else the agent's last.
-- And the message ids of refusals that found none.
local function refusals(w)
    local refused, open = {}, ''
    for i, r in ipairs(w) do
        if r[2] == REFUSED then
            local mid, hit = mid_of(r), nil
            for j = #w, 1, -1 do
                local o = w[j]
                if o[2] == OUT and not refused[j] then
                    if mid ~= '' then
                        hit = mid_of(o) == mid and j
                    elseif j < i and o[4] == r[4] then
                        hit = (r[7] == '' or o[7] == r[7]) and j
                    end
                    if hit then
                        break
                    end
                end
            end
            refused[i] = true
            if hit then
                refused[hit] = true
            elseif mid ~= '' then
                open = open .. mid .. '\n'
            end
        end
    end
    return refused, open
end

local function run(c)
    local st, out, refused = state_copy(c.b, {}), {}, refusals(c.w)
    for i, r in ipairs(c.w) do
        if not refused[i] then
            step(st, r, out)
        end
    end
    return out
end

-- Writes the window anew, records from `number` on; returns what the rounds come to.
local function rebuild(h, c, number)
    local out, refused, open = {}, refusals(c.w)
    h.ref = c.is_tail and h.ref or open
    state_copy(c.b, h)
    h.top = c.f
    for i, r in ipairs(c.w) do
        write_record(h, number, h.top, h, rec_pack(r))
        if not refused[i] then
            step(h, r, out)
        end
        h.top, number = r[1], number + 1
    end
    h.total = number
    return out
end

-- The texts of records [first, h.total): false where there is none.
local function texts_from(h, id, first)
    local fields, texts = {}, {}
    for number = first, h.total - 1 do
        fields[#fields + 1] = id .. '\n' .. number % SLOTS
    end
    local held = #fields > 0 and call('HMGET', K.win, unpack(fields)) or {}
    for number = first, h.total - 1 do
        texts[#texts + 1] = h.win and h.win[number % SLOTS] or held[number - first + 1]
    end
    return texts
end

-- May one of the records have this key? Looks at their texts alone.
local function may_hold(h, id, key)
    for _, text in ipairs(texts_from(h, id, math.max(h.total - SLOTS, 0))) do
        if text and find(text, key, 1, true) then
            return true
        end
    end
    return false
end

-- {w records, b state before them, f time of the record before them, n number of the first one}: of the records from
-- `first` on what can be read, and begins with a state (what was erased cannot).
local function window(h, id, first)
    local c = {w = {}, b = state_copy(h, {}), f = h.top, n = first}
    for i, text in ipairs(texts_from(h, id, first)) do
        local number, from = first + i - 1, 1
        if not text then
            c.w, c.is_open = {}, false
        elseif number % CHUNK == 0 then
            local f, b
            f, b, from = snap_unpack(text)
            if not c.is_open then
                c.w, c.b, c.f, c.n, c.is_open = {}, b, f, number, true
            end
        end
        if text and c.is_open then
            c.w[#c.w + 1] = record_read(text, from)
        end
    end
    if #c.w == 0 then
        c.b, c.f = state_copy(h, {}), h.top
    end
    return c
end

-- The records since the newest state.
local function window_tail(h, id)
    local first = floor(math.max(h.total - 1, 0) / CHUNK) * CHUNK
    local c = window(h, id, first)
    c.is_tail = c.n == first and #c.w == h.total - first
    return c
end

-- All that is kept; numbers begin anew.
local function window_all(h, id)
    local c = window(h, id, math.ceil(math.max(h.total - SLOTS, 0) / CHUNK) * CHUNK)
    c.n = 0
    return c
end

-- What `now` has more than `old` and the reverse.
local function difference(old, now)
    local count = {}
    local function add(list, by)
        for _, o in ipairs(list) do
            local id = table.concat(o, '\n')
            local e = count[id] or {o, 0}
            e[2] = e[2] + by
            count[id] = e
        end
    end
    add(now, 1)
    add(old, -1)
    local plus, minus = {}, {}
    for _, e in pairs(count) do
        if e[2] > 0 then
            plus[#plus + 1] = e[1]
        elseif e[2] < 0 then
            minus[#minus + 1] = e[1]
        end
    end
    return plus, minus
end

-- A customer message older than the window, but later than the last reply: the wait began with it.
local function extend_base(b, r)
    if r[2] ~= IN or r[1] <= b.last or b.since == 0 or r[1] >= b.since then
        return false
    end
    b.since, b.og, b.so, b.sc = r[1], r[4], r[9], r[10]
    return true
end

local function has_refusal(w)
    for _, r in ipairs(w) do
        if r[2] == REFUSED then
            return true
        end
    end
    return false
end

local function is_first_sight(was, r)
    return was[1] > r[1] or was[1] == r[1] and agent_of(was[4]) > agent_of(r[4])
end

local function put_into(h, c, r, fp, extra)
    local at = find_key(c.w, r[3])
    local was = at and c.w[at]
    if was and not is_first_sight(was, r) or not was and contains(extra, r[3]) then
        return 'dup', {}, {}
    end
    local old = run(c)
    if r[1] <= c.f then
        if was or not extend_base(c.b, r) then
            return was and 'dup' or 'late', {}, {}
        end
        push_bounded(extra, r[3], EXTRA)
        h.extra = pack(extra)
    else
        if was then
            table.remove(c.w, at)
        end
        insert_sorted(c.w, r)
    end
    if not was then
        remember(h, fp)
    end
    local plus, minus = difference(old, rebuild(h, c, c.n))
    return was and 'moved' or 'new', plus, minus, was
end

-- A conversation of schema version 2: chunks of four records, the newest ones (`body`) in the head; fps of three bytes.
local function from_2(text, id)
    local _, top, total, _, at, since, n, last, news, rep, so, sc, cu, og, g, p, ref, extra, fps, from =
        sunpack(HEAD_2, text)
    local h = head_new(top, total, at, since, n, last, news, rep, so, sc, cu, og, g, p, ref, extra, '')
    local c, full, fields, newest = {w = {}}, math.ceil(total / 4) - 1, {}, {}
    for i = math.max(full - 24, 0), full - 1 do
        fields[#fields + 1] = id .. '\n' .. i % 24
    end
    local chunks = #fields > 0 and call('HMGET', K.win, unpack(fields)) or {}
    chunks[#chunks + 1] = sub(text, from)
    for _, chunk in ipairs(chunks) do
        if chunk then
            local f, b, next_at = snap_unpack(chunk)
            if not c.b then
                c.f, c.b = f, b
            end
            records_into(c.w, chunk, next_at)
        else
            c.w, c.b = {}, nil
        end
    end
    for i = 2, #fps, 3 do
        newest[#newest + 1] = sub(fps, i, i + 1)
    end
    h.fps = sub(concat(newest), -FPS_BYTES)
    rebuild(h, c, 0)
    return h
end

return {may_hold = may_hold, window_tail = window_tail, window_all = window_all, put_into = put_into, has_refusal = has_refusal,
    from_2 = from_2}
