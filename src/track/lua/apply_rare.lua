-- Records of script apply that are not in the plain form, cases, and the bounds of all keys: made when they are needed.
local ROUNDS_MAX, RING_KEEP_MS, RINGS_MAX, AGENT_KEEP_MS = 2000, 30 * DAY_MS, 512, 30 * DAY_MS
local CONV_MAX, offset = 50000, tonumber(ARGV[3])
local STREAM_FIELDS = {'conv', 'cust', 'mid', 'sender', 'agent', 'team', 'shop', 'act', 'edit', 'dlv', 'ackonly', 'live',
    'human', 'rules', 'shadow', 'rv', 'ckind', 'sev', 'crule', 'conf', 'due', 'prule', 'count', 'hid',
    'txm', 'txf'}

local function str(v)
    return type(v) == 'string' and v or ''
end

local function num(v)
    return type(v) == 'number' and v == v and v > -9e15 and v < 9e15 and floor(v) or 0
end

-- Wall time of an event on Redis's clock; a message's own, older time comes from the backend and stays.
local function time_of(ev)
    local at = num(ev.at)
    if ev.k ~= 'in' or ev.live then
        at = at + offset
    end
    return not_ahead(math.max(at, 0), ev.k == 'in')
end

local function cust_get(customer)
    local e = custs[customer]
    if not e then
        e = {rec = cust_load(customer), results = {}}
        custs[customer] = e
    end
    return e
end

local function new_case_id()
    case_seq = (case_seq or tonumber(call('HGET', K.info, 'case_seq') or '0')) + 1
    return SHARD .. '-' .. case_seq
end

local function put(id, customer, is_live, r, fp)
    if id == '' then
        return 'new'
    end
    if r[1] < oldest[is_live and REPLY or REPLAYED] then
        count('late', 1)
        return 'late'
    end
    return put_record(conv_get(id, customer), id, r, fp)
end

local function put_event(ev, at, order, key)
    return put(str(ev.conv), str(ev.cust), ev.k ~= 'in' or ev.live, {at, order, key,
        who_of(str(ev.agent), str(ev.team), str(ev.shop)), ev.ackonly and 1 or 0, num(ev.due), order == IN and '' or str(ev.th), str(ev.prule),
        num(ev.ob), num(ev.oc)}, fingerprint(key))
end

local function log_case(ev, at, key)
    local d = {y = ev.conf and 'f' or 'c', g = str(ev.agent), t = str(ev.team), p = str(ev.shop), cv = str(ev.conv)}
    if str(ev.ckind) ~= '' then
        d.y, d.ck, d.sv, d.ru, d.wo = 'c', ev.ckind, num(ev.sev), str(ev.crule), string.sub(str(ev.words), 1, 600)
        d.od = order_numbers(d.wo)
    end
    local customer = str(ev.cust) ~= '' and ev.cust or d.cv
    local e = cust_get(customer)
    local result = cust_put(customer, e.rec, {at, d.y == 'c' and 1 or 2, key, d}, new_case_id)
    if result then
        e.results[#e.results + 1] = {result, at}
    end
end

local function message_key(ev, prefix, who)
    if str(ev.mid) ~= '' then
        return prefix .. ev.mid
    end
    return prefix .. '\t' .. who .. '\t' .. int(num(ev.at)) .. '\t' .. str(ev.th)
end

local function on_in(ev, at)
    local key = message_key(ev, ev.edit and 'e:' or 'i:', str(ev.sender))
    local how = 'new'
    if not ev.edit then
        local was
        how, was = put_event(ev, at, IN, key)
        count_in(how, was, at, who_of(str(ev.agent), str(ev.team), str(ev.shop)), str(ev.rules), str(ev.shadow))
    else
        count_rules(str(ev.rules), str(ev.shadow), at, who_of(str(ev.agent), str(ev.team), str(ev.shop)), 'pass', 1)
    end
    if how ~= 'late' and (ev.conf or str(ev.ckind) ~= '') then
        log_case(ev, at, key)
    end
    return how
end

local function note_held(ev, at)
    helds[#helds + 1] = {at = at, ex = at + num(ev.httl), xp = ev.hsend and 1 or 0, g = str(ev.agent), t = str(ev.team),
        p = str(ev.shop), cv = str(ev.conv), cu = str(ev.cust), mid = str(ev.mid), ed = ev.edit and 1 or 0,
        ru = str(ev.rules), tx = str(ev.htext), raw = ev.hraw, rt = str(ev.hroute), via = str(ev.hvia)}
end

local function on_out(ev, at)
    local how = 'new'
    if str(ev.hraw) ~= '' then
        note_held(ev, at)
    end
    if ev.dlv and ev.human and not ev.edit then
        how = put_event(ev, at, OUT, message_key(ev, 'o:', str(ev.agent)))
    end
    count_out(how, at, who_of(str(ev.agent), str(ev.team), str(ev.shop)), num(ev.act), str(ev.rules), str(ev.shadow))
    return how
end

local function on_refused(ev, at)
    local how = put_event(ev, at, REFUSED, message_key(ev, 'r:', str(ev.agent)))
    if how ~= 'dup' then
        add_count(figures_of(at, who_of(str(ev.agent), str(ev.team), str(ev.shop))), 'refused', 1)
    end
    return how
end

local function on_agent(ev, at)
    local name = str(ev.agent)
    if name == '' then
        return 'new'
    end
    local a = agents[name] or load_packed(K.agents, name) or {on = 0, off = 0, node = '', team = '', shop = ''}
    agents[name] = a
    if ev.k == 'agent_on' and at >= a.on then
        a.on, a.node, a.team, a.shop = at, node, str(ev.team), str(ev.shop)
    elseif ev.k == 'agent_off' and at >= a.off then
        a.off = at
    end
    return 'new'
end

local function on_gap(ev)
    count('lost', num(ev.count))
    return 'new'
end

local HANDLERS = {['in'] = on_in, out = on_out, refused = on_refused, agent_on = on_agent, agent_off = on_agent,
    gap = on_gap}

local function stream_entry(ev, at, seq, how)
    local e = {'id', ring .. ':' .. SHARD .. ':' .. int(seq), 'k', str(ev.k), 'at', int(at), 'node', node}
    for _, f in ipairs(STREAM_FIELDS) do
        local v = ev[f]
        if v == true then
            v = '1'
        elseif type(v) == 'number' then
            v = int(v)
        end
        if v and v ~= '' and type(v) == 'string' then
            e[#e + 1], e[#e + 2] = f, v
        end
    end
    if how == 'dup' or how == 'moved' then
        e[#e + 1], e[#e + 2] = 'dup', '1'
    end
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX_TEXT, '*', unpack(e))
end

-- A conversation stays while its customer waits (7 days) and a day longer than its promised times (at most 31 days).
local function keep_until(c)
    local t = c.t
    local at = t.at + (t.since > 0 and CONV_OPEN_MS or CONV_IDLE_MS)
    for _, p in ipairs(t.p) do
        at = math.max(at, math.min(p[2], t.at + RING_KEEP_MS) + DAY_MS)
    end
    return at
end

local function forget_conv(id, is_full)
    local c = conv_load(id)
    if c and not is_full and keep_until(c) > now then
        call('ZADD', K.conv_at, int(keep_until(c)), id)
        return
    end
    local slots = {}
    for i = 0, SLOTS - 1 do
        slots[i + 1] = id .. '\n' .. i
    end
    for _, p in ipairs(c and c.t.p or {}) do
        promise_forget(id, p[3])
    end
    if c and c.t.since > 0 then
        count('forgotten', 1)
        if measured then
            measured.book_forgotten(c.t, now)
        end
    end
    call('HDEL', K.win, unpack(slots))
    call('HDEL', K.conv, id)
    call('ZREM', K.conv_at, id)
    call('ZREM', K.waiting, id)
end

-- An entry of the stream may stand for many events. `marks`: after how many events it was what time, in steps of 1/16 of
-- what is to stay, as 'EVENTS:TIME,…'.
local function trim_stream(events)
    local marks, text = {}, call('HGET', K.info, 'marks') or ''
    for n, at in string.gmatch(text, '(%d+):(%d+)') do
        marks[#marks + 1] = {tonumber(n), at}
    end
    if #marks > 0 and events - marks[#marks][1] < STREAM_MAX / 16 then
        return
    end
    marks[#marks + 1] = {events, int(now)}
    while marks[2] and events - marks[2][1] >= STREAM_MAX do
        table.remove(marks, 1)
        call('XTRIM', K.stream, 'MINID', '~', marks[1][2])
    end
    for i, m in ipairs(marks) do
        marks[i] = int(m[1]) .. ':' .. m[2]
    end
    call('HSET', K.info, 'marks', concat(marks, ','))
end

local function sweep(events)
    call('HSET', K.info, 'swept', int(now))
    trim_stream(events)
    call('ZADD', K.rings, int(now), ring)
    local idle, is_full = call('ZRANGEBYSCORE', K.conv_at, '-inf', int(now), 'LIMIT', 0, 128), false
    if #idle == 0 and call('ZCARD', K.conv_at) > CONV_MAX then
        idle, is_full = call('ZRANGE', K.conv_at, 0, 63), true
    end
    for _, id in ipairs(idle) do
        forget_conv(id, is_full)
    end
    cases_sweep(now)
    call('ZREMRANGEBYRANK', K.rounds, 0, -ROUNDS_MAX - 1)
    if call('HLEN', K.applied) > RINGS_MAX then
        for _, id in ipairs(call('ZRANGEBYSCORE', K.rings, '-inf', int(now - RING_KEEP_MS), 'LIMIT', 0, 64)) do
            call('HDEL', K.applied, id)
            call('ZREM', K.rings, id)
        end
    end
    if next(agents) and call('HLEN', K.agents) > 100 then
        for _, name in ipairs(call('HRANDFIELD', K.agents, 8)) do
            local a = load_packed(K.agents, name)
            if math.max(a.on, a.off) < now - AGENT_KEEP_MS then
                call('HDEL', K.agents, name)
            end
        end
    end
end

local function custs_write()
    for customer, e in pairs(custs) do
        for _, r in ipairs(e.results) do
            cust_write(customer, e.rec, r[1], now)
            cases_announce(r[1], ring .. ':' .. SHARD .. ':' .. int(last), r[2], now)
        end
    end
end

local function helds_write()
    for _, h in ipairs(helds) do
        held_add(h, now)
    end
end

local function saids_write()
    said_write(saids, now)
end

-- A map. Until schema version 2 plain messages were values one behind the other.
local function read(text)
    local k, at, flags, agent, team, shop, conv, cust, mid, sender, act, rules, shadow, rv, th, fp, ob, oc, due, rule =
        unpack_mp(text)
    if type(k) == 'table' then
        return k
    end
    local is_in = k == 'in'
    return fp and {k = k, at = at, live = is_in and flags == 1, dlv = not is_in and flags % 2 == 1,
        human = not is_in and flags % 4 >= 2, ackonly = not is_in and flags >= 4, agent = agent, team = team, shop = shop,
        conv = conv, cust = cust, mid = mid, sender = is_in and sender, act = not is_in and act ~= 0 and act, rules = rules,
        shadow = shadow, rv = rv, th = th, ob = ob, oc = oc, due = due, prule = rule}
end

-- False: of no kind that is known.
local function take(ev, number)
    if not ev or not HANDLERS[ev.k] then
        return false
    end
    local at = time_of(ev)
    local how = HANDLERS[ev.k](ev, at)
    stream_entry(ev, at, number, how)
    if num(ev.tkeep) > 0 and how ~= 'dup' and how ~= 'moved' then
        saids[#saids + 1] = {ev, at}
    end
    return true
end

return {read = read, take = take, sweep = sweep, custs_write = custs_write, helds_write = helds_write, saids_write = saids_write,
    promise_outcome = promise_outcome, promise_forget = promise_forget}
