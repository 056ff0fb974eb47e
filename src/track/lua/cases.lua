-- A customer's cases as a pure function of the log of complaints ('c'), confirmations ('f'), moves ('m') and other acts
-- ('a') of people.
--   log record: {at, order, key, {y, id case, g t p agent team shop, cv conversation, ck sv ru kind severity rule,
--               wo words, od order numbers, to, who, why, what, val}}
--   case:       {id, cu, cv, g, t, p, kinds, sv, ru, wo, od, opened, upd, done, s state, n complaints, hist,
--               as who works on it, calls {times}, nw last news by hand, sn snoozed until}
--   hist:       {at, from, to, who, why}, of an act besides what and value, from and to are the state then
local LOG, HISTORY, ORDERS, CALLS = 16, 40, 8, 16
local REOPEN_MS = 7 * DAY_MS -- a complaint so long after solving reopens the case
local LEGAL = {
    open = {acknowledged = true, waiting = true, solved = true, closed = true},
    acknowledged = {waiting = true, solved = true, closed = true},
    waiting = {acknowledged = true, solved = true, closed = true},
    reopened = {acknowledged = true, waiting = true, solved = true, closed = true},
    solved = {closed = true, reopened = true},
    closed = {reopened = true},
}
local LIVE = {open = true, acknowledged = true, waiting = true, reopened = true}

-- Runs of 10 to 20 digits, mobile numbers left out.
local function order_numbers(words)
    local found = {}
    for run in string.gmatch(words, '%d+') do
        local mobile = #run == 11 and string.find(run, '^1[3-9]')
        if #run >= 10 and #run <= 20 and not mobile and not contains(found, run) and #found < ORDERS then
            found[#found + 1] = run
        end
    end
    return found
end

local function case_note(c, entry)
    c.hist[#c.hist + 1] = entry
    if #c.hist > HISTORY then
        table.remove(c.hist, 2)
    end
end

-- What people do to a case beside moving it.
local CASE_ACTS = {}
function CASE_ACTS.assign(c, _, val)
    c.as = val
end
function CASE_ACTS.call(c, at, val)
    c.calls = c.calls or {}
    push_bounded(c.calls, at, CALLS)
    if val == 'answered' then
        c.upd, c.nw = at, at
    end
end
function CASE_ACTS.news(c, at)
    c.upd, c.nw = at, at
end
function CASE_ACTS.snooze(c, _, val)
    c.sn = tonumber(val)
end
function CASE_ACTS.severity(c, _, val)
    c.sv = tonumber(val)
end
function CASE_ACTS.order(c, _, val)
    if not contains(c.od, val) and #c.od < ORDERS then
        c.od[#c.od + 1] = val
    end
end
function CASE_ACTS.note()
end

local function case_act(c, at, d)
    if CASE_ACTS[d.what] then
        CASE_ACTS[d.what](c, at, d.val)
        case_note(c, {at, c.s, c.s, d.who, d.why, d.what, d.val})
    end
end

local function case_move(c, at, to, who, why)
    case_note(c, {at, c.s, to, who, why})
    c.s, c.upd = to, at
    c.done = LIVE[to] and 0 or at
end

local function case_merge(c, at, d)
    c.n = c.n + 1
    c.upd = at
    c.sv = math.max(c.sv, d.sv)
    c.id = c.id or d.id
    if not contains(c.kinds, d.ck) and #c.kinds < 8 then
        c.kinds[#c.kinds + 1] = d.ck
    end
    for _, o in ipairs(d.od) do
        if not contains(c.od, o) and #c.od < ORDERS then
            c.od[#c.od + 1] = o
        end
    end
end

local function case_open(customer, at, d)
    local c = {id = d.id, cu = customer, cv = d.cv, g = d.g, t = d.t, p = d.p, kinds = {d.ck}, sv = d.sv, ru = d.ru,
        wo = d.wo, od = unpack_mp(pack(d.od)), opened = at, upd = at, done = 0, s = '', n = 1, hist = {}}
    case_move(c, at, 'open', d.who or 'customer', d.why or d.ru)
    return c
end

-- All cases of base and log in order; the last one is the current one. A case without id was opened by the record that
-- `opener` names for it.
local function case_derive(customer, base, log)
    local cases, opener, cur = {}, {}, nil
    if base then
        cur = unpack_mp(pack(base))
        cases[1] = cur
    end
    for _, e in ipairs(log) do
        local at, d = e[1], e[4]
        if d.y == 'c' then
            if cur and (LIVE[cur.s] or cur.s == 'solved' and at - cur.done <= REOPEN_MS) then
                case_merge(cur, at, d)
                if not LIVE[cur.s] then
                    case_move(cur, at, 'reopened', d.who or 'customer', d.why or d.ru)
                end
            else
                cur = case_open(customer, at, d)
                cases[#cases + 1] = cur
                opener[cur] = d
            end
        elseif d.y == 'f' then
            if cur and LIVE[cur.s] then
                case_move(cur, at, 'solved', 'customer', 'confirmed')
            end
        elseif d.y == 'a' then
            for _, c in ipairs(cases) do
                if c.id == d.id then
                    case_act(c, at, d)
                end
            end
        else
            for _, c in ipairs(cases) do
                if c.id == d.id and LEGAL[c.s][d.to] and (c == cur or not LIVE[cur.s]) then
                    case_move(c, at, d.to, d.who, d.why)
                    cur = c
                end
            end
        end
    end
    if cur and cases[#cases] ~= cur then
        for i, c in ipairs(cases) do
            if c == cur then
                table.remove(cases, i)
                break
            end
        end
        cases[#cases + 1] = cur
    end
    return cases, opener
end

-- By id: the state, and how severe it is.
local function ids_of(cases)
    local set, severity = {}, {}
    for _, c in ipairs(cases) do
        if c.id then
            set[c.id], severity[c.id] = c.s, c.sv
        end
    end
    return set, severity
end

local function cust_load(customer)
    return load_packed(K.cust, customer) or {l = {}, k = {}}
end

-- Puts a record into the customer's log and derives anew. `new_id` draws an id. Result: nil for a duplicate, else
-- {cases all, gone ids that no longer are cases, changed {{case, state before or ''}…}, worse cases whose severity alone
-- rose}.
local function cust_put(customer, rec, e, new_id)
    local at = find_key(rec.l, e[3])
    local was = at and rec.l[at]
    if was and (was[1] < e[1] or (was[1] == e[1] and was[4].g <= e[4].g)) or not was and contains(rec.k, e[3]) then
        return nil
    end
    local old, severity = ids_of((case_derive(customer, rec.b, rec.l)))
    if was then
        e[4].id = was[4].id
        table.remove(rec.l, at)
    end
    insert_sorted(rec.l, e)
    local cases, opener = case_derive(customer, rec.b, rec.l)
    local now, changed, worse = {}, {}, {}
    for _, c in ipairs(cases) do
        if not c.id then
            c.id = new_id()
            opener[c].id = c.id
        end
        now[c.id] = true
        if old[c.id] ~= c.s then
            changed[#changed + 1] = {c, old[c.id] or ''}
        elseif c.sv > severity[c.id] then
            worse[#worse + 1] = c
        end
    end
    local gone = {}
    for id in pairs(old) do
        if not now[id] then
            gone[#gone + 1] = id
        end
    end
    while #rec.l > LOG do
        local first = table.remove(rec.l, 1)
        push_bounded(rec.k, first[3], 2 * LOG)
        local folded = case_derive(customer, rec.b, {first})
        rec.b = folded[#folded]
        if rec.b and not rec.b.id then
            rec.b.id = cases[1].id
        end
    end
    return {cases = cases, gone = gone, changed = changed, worse = worse}
end

local DONE_KEEP_MS, DONE_MAX, CUST_KEEP_MS, CUST_MAX = 90 * DAY_MS, 20000, 14 * DAY_MS, 50000

-- Writes a customer's log and cases.
local function cust_write(customer, rec, result, now)
    call('HSET', K.cust, customer, pack(rec))
    local cur = result.cases[#result.cases]
    if cur and LIVE[cur.s] then
        call('ZREM', K.cust_at, customer)
    else
        call('ZADD', K.cust_at, int(now + CUST_KEEP_MS), customer)
    end
    for _, c in ipairs(result.cases) do
        call('HSET', K.case, c.id, pack(c))
        if LIVE[c.s] then
            call('ZADD', K.case_open, int(c.opened), c.id)
            call('ZREM', K.case_done, c.id)
            call('ZADD', K.remind_at, 'LT', int(c.upd), 'c\n' .. c.id)
            call('ZADD', K.remind_at, 'LT', int(c.upd), 'n\n' .. c.id)
        else
            call('ZREM', K.case_open, c.id)
            call('ZADD', K.case_done, int(c.done), c.id)
            call('ZADD', K.remind_at, 'LT', int(c.done), 'v\n' .. c.id)
        end
    end
    for _, id in ipairs(result.gone) do
        call('HDEL', K.case, id)
        call('ZREM', K.case_open, id)
        call('ZREM', K.case_done, id)
    end
end

-- Bounds: finished cases and logs of customers without an open case.
local function cases_sweep(now)
    local old = call('ZRANGEBYSCORE', K.case_done, '-inf', int(now - DONE_KEEP_MS), 'LIMIT', 0, 16)
    if #old == 0 and call('ZCARD', K.case_done) > DONE_MAX then
        old = call('ZRANGE', K.case_done, 0, 15)
    end
    for _, id in ipairs(old) do
        call('HDEL', K.case, id)
        call('ZREM', K.case_done, id)
    end
    local idle = call('ZRANGEBYSCORE', K.cust_at, '-inf', int(now), 'LIMIT', 0, 16)
    if #idle == 0 and call('ZCARD', K.cust_at) > CUST_MAX then
        idle = call('ZRANGE', K.cust_at, 0, 15)
    end
    for _, customer in ipairs(idle) do
        call('HDEL', K.cust, customer)
        call('ZREM', K.cust_at, customer)
    end
end

-- Webhooks hear of a case that changed its state, or became more severe.
local function case_tell(c, from, source, at, now)
    local h = c.hist[#c.hist]
    hook_put(source .. ':' .. c.id .. ':' .. c.s .. ':' .. int(at), 'case', c.sv, LIVE[c.s] and c.sv >= 3, {'case', c.id, 'from',
        from, 'state', c.s, 'kinds', table.concat(c.kinds, ','), 'who', h[4], 'why', h[5], 'agent', c.as or c.g, 'team', c.t,
        'shop', c.p, 'conv', c.cv, 'cust', c.cu, 'since', int(c.opened)}, now)
end

-- A stream entry for each case that changed, and an event for webhooks.
local function cases_announce(result, source, at, now)
    for _, ch in ipairs(result.changed) do
        local c, h = ch[1], ch[1].hist[#ch[1].hist]
        call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', source .. ':' .. c.id, 'k', 'case', 'at', int(at),
            'case', c.id, 'from', ch[2], 'to', c.s, 'who', h[4], 'why', h[5], 'cust', c.cu, 'conv', c.cv,
            'agent', c.g, 'team', c.t, 'shop', c.p, 'sev', c.sv)
        case_tell(c, ch[2], source, at, now)
    end
    for _, c in ipairs(result.worse) do
        case_tell(c, c.s, source .. ':' .. int(c.sv), at, now)
    end
    for _, id in ipairs(result.gone) do
        call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', 'id', source .. ':' .. id, 'k', 'case', 'at', int(at),
            'case', id, 'to', 'merged')
    end
end
