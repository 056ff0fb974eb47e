-- needs: lib hook rounds cases stats promise held said
-- Applies records of one ring to one shard, each exactly once (docs/redis.md).
-- ARGV: schema version, ring id, offset_ms (Redis TIME minus the gateway's clock), node id, n, then n times: sequence
-- number, packed event. Returns {last applied, applied, duplicates, 'OK' | 'GAP' | 'VERSION'}.
local NOT_LIVE_MS, LATE_MS, ROUNDS_MAX = DAY_MS, 7 * DAY_MS, 2000
local RING_KEEP_MS, RINGS_MAX, AGENT_KEEP_MS = 30 * DAY_MS, 512, 30 * DAY_MS
local CONV_IDLE_MS, CONV_OPEN_MS, CONV_MAX = 2 * DAY_MS, 7 * DAY_MS, 50000
local ACTIONS = {[0] = 'pass', 'warn', 'rewrite', 'hold', 'block'}
local STREAM_FIELDS = {'conv', 'cust', 'mid', 'sender', 'agent', 'team', 'shop', 'act', 'edit', 'dlv', 'ackonly', 'live',
    'human', 'rules', 'shadow', 'rv', 'ckind', 'sev', 'crule', 'conf', 'due', 'prule', 'count', 'hid',
    'txm', 'txf'}

local ring, offset, node, n = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local last = tonumber(call('HGET', K.applied, ring) or '0')
local held = tonumber(call('HGET', K.info, 'schema') or SCHEMA)
if ARGV[1] ~= tostring(SCHEMA) or held > SCHEMA + 1 then
    return {last, 0, 0, 'VERSION'}
end

local now = redis_now()
local info, convs, custs, agents, entries, moved_rounds, helds, saids = {}, {}, {}, {}, {}, {}, {}, {}
local case_seq

local function count(what, by)
    info[what] = (info[what] or 0) + by
end

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
    return math.min(math.max(at, 0), now)
end

local function open_keys(c)
    local keys = {}
    for _, p in ipairs(c.t.p) do
        keys[p[3]] = p[2]
    end
    return keys
end

local function conv_get(id, customer)
    local e = convs[id]
    if not e then
        local c = load_packed(K.conv, id) or conv_new(customer)
        e = {c = c, since = c.t.since, due = open_keys(c), closed = false}
        convs[id] = e
    end
    return e
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

local function book(e, id, o, by)
    if o[1] == 'round' then
        e.closed = true
        local kind = o[7] == 1 and 'f' or 'n'
        stat_who(o[3], o[4], o[5], o[6], kind, add_round, o[3] - o[2], by)
        moved_rounds[#moved_rounds + 1] = {by, o[3], pack({id, e.c.cu, o[2], o[3], o[4], o[5], o[6], o[7], o[8]})}
    else
        local outcome = promise_outcome(id, o)
        if outcome then
            stat_who(o[4], o[5], o[6], o[7], 'v', add_count, 'promise_' .. outcome, by)
        end
    end
end

-- What the record itself counts as, apart from rounds.
local function count_in(at, agent, team, shop, by)
    stat_who(at, agent, team, shop, 'v', add_count, 'in', by)
end

local function count_rules(ev, at, what, by)
    stat_list(at, 'r', str(ev.rules), what, by)
    stat_list(at, 'x', str(ev.shadow), what, by)
end

local function put(ev, at, order, key)
    local id = str(ev.conv)
    if id == '' then
        return 'new'
    end
    local live = ev.k ~= 'in' or ev.live
    if at < now - (live and LATE_MS or NOT_LIVE_MS) then
        count('late', 1)
        return 'late'
    end
    local e = conv_get(id, str(ev.cust))
    local how, plus, minus, was = conv_put(e.c, {at, order, key, str(ev.agent), str(ev.team), str(ev.shop),
        ev.ackonly and 1 or 0, num(ev.due), str(ev.prule), str(ev.mid), str(ev.th)})
    for _, o in ipairs(minus) do
        book(e, id, o, -1)
    end
    for _, o in ipairs(plus) do
        book(e, id, o, 1)
    end
    if how == 'late' or how == 'dup' then
        count(how, 1)
    end
    return how, was
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
        how, was = put(ev, at, 1, key)
        if was then
            count_in(was[1], was[4], was[5], was[6], -1)
            count_rules(ev, was[1], 'pass', -1)
        end
        if how == 'new' or how == 'moved' then
            count_in(at, str(ev.agent), str(ev.team), str(ev.shop), 1)
        end
    end
    if how == 'new' or how == 'moved' then
        count_rules(ev, at, 'pass', 1)
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
        how = put(ev, at, 2, message_key(ev, 'o:', str(ev.agent)))
    end
    if how ~= 'dup' and how ~= 'moved' then
        local action = ACTIONS[num(ev.act)] or 'pass'
        stat_who(at, str(ev.agent), str(ev.team), str(ev.shop), 'v', add_count, action, 1)
        count_rules(ev, at, action, 1)
    end
    return how
end

local function on_refused(ev, at)
    local how = put(ev, at, 3, message_key(ev, 'r:', str(ev.agent)))
    if how ~= 'dup' then
        stat_who(at, str(ev.agent), str(ev.team), str(ev.shop), 'v', add_count, 'refused', 1)
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
    local e = {'id', ring .. ':' .. SHARD .. ':' .. seq, 'k', str(ev.k), 'at', int(at), 'node', node}
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
    entries[#entries + 1] = e
end

local applied, dups, status = 0, 0, 'OK'
for i = 1, n do
    local seq = tonumber(ARGV[4 + 2 * i])
    if seq <= last then
        dups = dups + 1
    elseif seq > last + 1 then
        status = 'GAP'
        break
    else
        local fine, ev = pcall(unpack_mp, ARGV[5 + 2 * i])
        if fine and type(ev) == 'table' and HANDLERS[ev.k] then
            local at = time_of(ev)
            local how = HANDLERS[ev.k](ev, at)
            stream_entry(ev, at, int(seq), how)
            if num(ev.tkeep) > 0 and how ~= 'dup' and how ~= 'moved' then
                saids[#saids + 1] = {ev, at}
            end
        else
            count('bad', 1)
        end
        last, applied = seq, applied + 1
    end
end
if applied == 0 then
    return {last, 0, dups, status}
end

-- From here on only writes, and reads for the bounds.
call('HSET', K.applied, ring, int(last))
call('ZADD', K.rings, int(now), ring)
call('HSET', K.info, 'schema', math.max(held, SCHEMA))
count('events', applied)
if case_seq then
    call('HSET', K.info, 'case_seq', int(case_seq))
end

local function write_conv(id, e)
    local c, t = e.c, e.c.t
    call('HSET', K.conv, id, pack(c))
    local newest = c.w[#c.w]
    local expires = math.max(t.at, newest and newest[1] or 0) + ((t.since > 0 or #t.p > 0) and CONV_OPEN_MS or CONV_IDLE_MS)
    local due = open_keys(c)
    for key, at in pairs(due) do
        expires = math.max(expires, math.min(at, now + RING_KEEP_MS) + DAY_MS)
        if not e.due[key] then
            call('ZADD', K.due, int(at), id .. '\n' .. key)
            call('ZADD', K.remind_at, int(now), 'p\n' .. id .. '\n' .. key)
        end
    end
    for key in pairs(e.due) do
        if not due[key] then
            promise_forget(id, key)
        end
    end
    call('ZADD', K.conv_at, int(expires), id)
    if t.since == 0 then
        call('ZREM', K.waiting, id)
    elseif t.since ~= e.since then
        local item = 'w\n' .. id
        call('ZADD', K.waiting, int(t.since), id)
        call('ZADD', K.remind_at, int(t.since), item)
        local r = e.since > 0 and not e.closed and load_packed(K.remind, item)
        if r and r.a == e.since then -- the same round, only it began earlier: its steps stay done
            r.a = t.since
            call('HSET', K.remind, item, pack(r))
        end
    end
end

local function forget_conv(id)
    local c = load_packed(K.conv, id)
    if c then
        for key in pairs(open_keys(c)) do
            promise_forget(id, key)
        end
        if c.t.since > 0 then
            count('forgotten', 1)
        end
    end
    call('HDEL', K.conv, id)
    call('ZREM', K.conv_at, id)
    call('ZREM', K.waiting, id)
end

local function sweep()
    local idle = call('ZRANGEBYSCORE', K.conv_at, '-inf', int(now), 'LIMIT', 0, 16)
    if #idle == 0 and call('ZCARD', K.conv_at) > CONV_MAX then
        idle = call('ZRANGE', K.conv_at, 0, 15)
    end
    for _, id in ipairs(idle) do
        forget_conv(id)
    end
    cases_sweep(now)
    call('ZREMRANGEBYRANK', K.rounds, 0, -ROUNDS_MAX - 1)
    if call('HLEN', K.applied) > RINGS_MAX then
        for _, id in ipairs(call('ZRANGEBYSCORE', K.rings, '-inf', int(now - RING_KEEP_MS), 'LIMIT', 0, 16)) do
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

for id, e in pairs(convs) do
    write_conv(id, e)
end
for customer, e in pairs(custs) do
    for _, r in ipairs(e.results) do
        cust_write(customer, e.rec, r[1], now)
        cases_announce(r[1], ring .. ':' .. SHARD .. ':' .. int(last), r[2], now)
    end
end
for name, a in pairs(agents) do
    call('HSET', K.agents, name, pack(a))
end
for _, r in ipairs(moved_rounds) do
    if r[1] > 0 then
        call('ZADD', K.rounds, int(r[2]), r[3])
    else
        call('ZREM', K.rounds, r[3])
    end
end
stats_write()
for _, h in ipairs(helds) do
    held_add(h, now)
end
if #saids > 0 then
    said_write(saids, now)
end
for _, e in ipairs(entries) do
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', unpack(e))
end
sweep()
for what, by in pairs(info) do
    call('HINCRBY', K.info, what, int(by))
end
return {last, applied, dups, status}
