-- A conversation as a pure function of its events in time order. The last WINDOW of them are kept; what is older is
-- folded into `b`. A late event is put in its place and the rounds behind it are computed anew; the caller books the
-- difference.
--   conversation: {cu customer, w window, b state before the window, t state after it, s keys that left the window,
--                 f newest time that left it}
--   record:       {at, 1 in | 2 out | 3 refused, key, agent, team, shop, ack only, due, rule, message id, text hash}
--   state:        at last event, since (0: nobody waits), og ot op n of the open round, last and news: last reply and
--                 last one that is more than an acknowledgement, rep: replied in this session, g t p last replier,
--                 p: open commitments {made, due, key, agent, team, shop, rule}
local WINDOW, SEEN = 32, 64
local SESSION_MS = 8 * 3600000 -- a customer who writes after so long a silence begins a new session (first reply)
local PENDING = 8
local LIMITS = {3000, 30000, 60000, 180000, 300000}

local function state_new()
    return {at = 0, since = 0, og = '', ot = '', op = '', n = 0, last = 0, news = 0, rep = false, g = '', t = '',
        h = '', p = {}}
end

local function conv_new(customer)
    return {cu = customer, w = {}, b = state_new(), t = state_new(), s = {}, f = 0}
end

local function copy(v)
    return unpack_mp(pack(v))
end

local function settle_pending(st, r, out)
    if r[7] == 1 or #st.p == 0 then
        return
    end
    local rest = {}
    for _, p in ipairs(st.p) do
        if p[1] >= r[1] then
            rest[#rest + 1] = p
        else
            local how = r[8] > 0 and 'extended' or 'kept'
            if r[1] > p[2] then
                how = 'broken'
            end
            out[#out + 1] = {how, p[1], p[2], r[1], p[4], p[5], p[6], p[3]}
        end
    end
    st.p = rest
end

-- Takes one event; closed rounds go to `out` as {'round', start, end, agent, team, shop, first, messages}, ended
-- commitments as {'kept' | 'extended' | 'broken', made, due, end, agent, team, shop, key}.
local function step(st, r, out)
    if r[2] == 1 then
        if st.since == 0 then
            if st.at > 0 and r[1] - st.at > SESSION_MS then
                st.rep = false
            end
            st.since, st.og, st.ot, st.op, st.n = r[1], r[4], r[5], r[6], 0
        end
        st.n = st.n + 1
    elseif r[2] == 2 then
        if st.since > 0 then
            out[#out + 1] = {'round', st.since, r[1], r[4], r[5], r[6], st.rep and 0 or 1, st.n}
            st.since, st.og, st.ot, st.op, st.n = 0, '', '', '', 0
        end
        st.rep, st.last, st.g, st.t, st.h = true, r[1], r[4], r[5], r[6]
        settle_pending(st, r, out)
        if r[7] ~= 1 then
            st.news = r[1]
        end
        if r[8] > 0 then
            push_bounded(st.p, {r[1], r[8], r[3], r[4], r[5], r[6], r[9]}, PENDING)
        end
    end
    st.at = r[1]
end

-- Which records of the window were refused by the backend after all: by message id, else by text, else the agent's last.
local function refusals(w)
    local refused
    for i, r in ipairs(w) do
        if r[2] == 3 then
            refused = refused or {}
            local hit
            for j = #w, 1, -1 do
                local o = w[j]
                if o[2] == 2 and not refused[j] and not hit then
                    if r[10] ~= '' then
                        hit = o[10] == r[10] and j
                    elseif o[4] == r[4] and j < i then
                        hit = (r[11] == '' or o[11] == r[11]) and j
                    end
                end
            end
            refused[i] = true
            if hit then
                refused[hit] = true
            end
        end
    end
    return refused or {}
end

local function run(c)
    local st, out, refused = copy(c.b), {}, refusals(c.w)
    for i, r in ipairs(c.w) do
        if not refused[i] then
            step(st, r, out)
        end
    end
    return st, out
end

local function has_refusal(w)
    for _, r in ipairs(w) do
        if r[2] == 3 then
            return true
        end
    end
    return false
end

local function fold_oldest(c)
    while #c.w > WINDOW do
        local refused = refusals(c.w)
        local r = table.remove(c.w, 1)
        push_bounded(c.s, r[3], SEEN)
        if not refused[1] then
            step(c.b, r, {})
        end
        c.f = math.max(c.f, r[1])
    end
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
local function extend_base(c, r)
    local b = c.b
    if r[2] ~= 1 or r[1] <= b.last or b.since == 0 or r[1] >= b.since then
        return false
    end
    b.since, b.og, b.ot, b.op = r[1], r[4], r[5], r[6]
    return true
end

-- Puts a record into the conversation. Result: 'new', 'dup' (nothing changed), 'moved' (the same message was seen
-- earlier elsewhere: `was` is the record it replaces), 'late' (too old for the window). Outcomes to book: plus, minus.
local function conv_put(c, r)
    local at = find_key(c.w, r[3])
    local was = at and c.w[at]
    if was and (was[1] < r[1] or (was[1] == r[1] and was[4] <= r[4])) or not was and contains(c.s, r[3]) then
        return 'dup', {}, {}
    end
    if r[1] <= c.f then
        if was then
            return 'dup', {}, {}
        end
        local _, old = run(c)
        if not extend_base(c, r) then
            return 'late', {}, {}
        end
        push_bounded(c.s, r[3], SEEN)
        local st, now = run(c)
        c.t = st
        return 'new', difference(old, now)
    end
    if not was and r[2] ~= 3 and (#c.w == 0 or before(c.w[#c.w], r)) and not has_refusal(c.w) then
        c.w[#c.w + 1] = r
        local out = {}
        step(c.t, r, out)
        fold_oldest(c)
        return 'new', out, {}
    end
    local _, old = run(c)
    if was then
        table.remove(c.w, at)
    end
    insert_sorted(c.w, r)
    local st, now = run(c)
    c.t = st
    fold_oldest(c)
    local plus, minus = difference(old, now)
    return was and 'moved' or 'new', plus, minus, was
end
