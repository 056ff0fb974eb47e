-- The frame of script apply: what it is called with, conversations, what is booked for them.
local NOT_LIVE_MS, LATE_MS, ROUNDS_MAX = DAY_MS, 7 * DAY_MS, 2000
local RING_KEEP_MS, RINGS_MAX, AGENT_KEEP_MS = 30 * DAY_MS, 512, 30 * DAY_MS
local CONV_IDLE_MS, CONV_OPEN_MS, CONV_MAX, CONV_SLACK_MS = 2 * DAY_MS, 7 * DAY_MS, 50000, HOUR_MS
local SWEEP_EVENTS, SWEEP_MS = 256, 1000
local ACTIONS = {[0] = 'pass', 'warn', 'rewrite', 'hold', 'block'}
local ring, offset, node, frames = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local last = tonumber(call('HGET', K.applied, ring) or '0')
local known = call('HMGET', K.info, 'schema', 'swept', 'folded', 'folded_at', 'zone', 'tracking')
local zone, measure, zones, counts, n_busy, CONVS = ARGV[6], ARGV[7], ARGV[9], ARGV[10], tonumber(ARGV[11]), 12
local held = tonumber(known[1] or SCHEMA)
if ARGV[1] ~= tostring(SCHEMA) or held > SCHEMA + 1 then
    return {last, 0, 0, 'VERSION'}
end

local now = redis_now()
local info, convs, custs, agents, moved_rounds, helds, saids, whos = {}, {}, {}, {}, {}, {}, {}, {}
local heads_read = {} -- by conversation: the text of its head; the place in `heads` of the one that step_quickly made of it, in `wins` of the record
local case_seq, rare

if measure ~= '' then
    measured = measure_make(zone, measure)
    note_open, note_more, note_reply = measured.note_open, measured.note_more, measured.note_reply
end
if ARGV[8] == '4' then
    figures_by_quarters()
end

-- Redis's clock is known to some milliseconds. What seems to come from the future happened now; but of two such messages
-- the reply stays the later one (at the same millisecond the customer would still wait).
local newest, is_newest_in = now, false
local function not_ahead(at, is_in)
    if at <= now then
        return at
    end
    if is_newest_in and not is_in then
        newest = newest + 1
    end
    is_newest_in = is_in
    return newest
end

local function count(what, by)
    info[what] = (info[what] or 0) + by
end

local function who_of(agent, team, shop)
    local w = whos[agent]
    if not w or w[1] ~= team or w[2] ~= shop then
        w = {team, shop, pack(agent, team, shop)}
        whos[agent] = w
    end
    return w[3]
end

local function conv_add(id, text, customer)
    local h
    if not text then
        h = conv_new(customer)
    elseif byte(text) == 2 then
        h = conv_from_2(text, id)
        h.was_since, h.was_p = h.since, h.p
    else
        h = head_unpack(text)
    end
    convs[id] = h
    return h
end

-- What is written in the end, as commands. Of a conversation nothing stands in two of them.
local heads, n_heads, wins, n_wins = {'HSET', K.conv}, 2, {'HSET', K.win}, 2
local waits, looks, n_waits, ends, n_ends = {'ZADD', K.waiting}, {'ZADD', K.remind_at, 'LT'}, 2, {'ZREM', K.waiting}, 2
local ats, n_ats, closed, n_closed = {'ZADD', K.conv_at}, 2, {'ZADD', K.rounds}, 2
local earlier = {} -- lists of waits, looks and ends that go before these

local function note_begin(id, since)
    local at = int(since)
    waits[n_waits + 1], waits[n_waits + 2] = at, id
    n_waits = n_waits + 2
    looks[n_waits], looks[n_waits + 1] = at, 'w\n' .. id
end

local function note_end(id)
    n_ends = n_ends + 1
    ends[n_ends] = id
end

-- Of a conversation that was stepped quickly comes more: what follows goes behind.
local function begin_anew()
    earlier[#earlier + 1] = {waits, looks, ends}
    waits, looks, n_waits, ends, n_ends = {'ZADD', K.waiting}, {'ZADD', K.remind_at, 'LT'}, 2, {'ZREM', K.waiting}, 2
end

-- When a conversation may be forgotten is told once an hour of its own: the sweep looks closer (keep_until).
local function note_time(id, top, was)
    if top - top % CONV_SLACK_MS ~= was - was % CONV_SLACK_MS then
        ats[n_ats + 1], ats[n_ats + 2] = int(top + CONV_IDLE_MS + CONV_SLACK_MS), id
        n_ats = n_ats + 2
    end
end

-- Those that the gateway named, with one command; the first n_busy of them have several records in this call.
local function convs_load()
    if #ARGV >= CONVS then
        for i, text in ipairs(call('HMGET', K.conv, unpack(ARGV, CONVS))) do
            if text and i <= n_busy then
                conv_add(ARGV[CONVS - 1 + i], text)
            elseif text then
                heads_read[ARGV[CONVS - 1 + i]] = text
            end
        end
    end
end

local function conv_get(id, customer)
    local h, text = convs[id], heads_read[id]
    if h then
        return h
    elseif not text then
        return conv_add(id, call('HGET', K.conv, id), customer)
    elseif not heads[text] then
        return conv_add(id, text, customer)
    end
    begin_anew()
    h = conv_add(id, heads[text])
    h.win = {[(h.total - 1) % SLOTS] = wins[text]} -- its newest record is not in Redis yet
    return h
end

-- A MessagePack list of ten, where it is measured of eleven values; `who` is three of them. In one piece, which costs half of
-- what pieces do, and a mark together with the number that follows it.
local function round_pack(customer, id, o, biz, units)
    local start, at, who = o[2], o[3], o[4]
    local text = spack('>BI3c0I3c0I3I6I3I6c0HI4Bi8', units and 155 or 154, 218 * 65536 + #id, id, 218 * 65536 + #customer, customer,
        207 * 65536, start, 207 * 65536, at, who, o[5] * 256 + 206, o[6], 211, biz)
    return units and text .. pack(units) or text
end

-- As earlier programs packed it: what is taken back may stand there like this.
local function round_pack_1(h, id, o, biz)
    return '\154' .. pack(id, h.cu, o[2], o[3]) .. o[4] .. pack(o[5], o[6], biz)
end

local function book(h, id, o, by)
    if o[1] == 'round' then
        h.closed = true
        local start, at, who, first, biz = o[2], o[3], o[4], o[5], o[7]
        if by > 0 then
            figures_round(at, who, first, at - start, biz)
        else
            local f = figures_of(at, who)
            add_to_list(f, first == 1 and 'f' or 'n', at - start, by)
            if biz >= 0 then
                add_to_list(f, first == 1 and 'F' or 'N', biz, by)
            end
        end
        moved_rounds[#moved_rounds + 1] = {by, at, round_pack(h.cu, id, o, biz, measured and measured.book(o, by)),
            by < 0 and round_pack_1(h, id, o, biz)}
    else
        local outcome = rare().promise_outcome(id, o)
        if outcome then
            add_count(figures_of(o[4], o[5]), 'promise_' .. outcome, by)
        end
    end
end

-- What the record itself counts as, apart from rounds.
local function count_rules(rules, shadow, at, who, what, by)
    if rules ~= '' then
        stat_list(at, 'r', rules, what, by)
        stat_hits(at, who, rules, what, '@', by)
    end
    if shadow ~= '' then
        stat_list(at, 'x', shadow, what, by)
        stat_hits(at, who, shadow, what, '?', by)
    end
end

local function put_record(h, id, r, fp)
    local how, plus, minus, was = conv_put(h, id, r, fp)
    for i = 1, #minus do
        book(h, id, minus[i], -1)
    end
    for i = 1, #plus do
        book(h, id, plus[i], 1)
    end
    if how == 'late' or how == 'dup' then
        count(how, 1)
    else
        h.is_changed = true
    end
    return how, was
end

-- By the short way, if it is one: head_step. The record has no due time.
local function step_quickly(id, text, at, is_in, is_ack, who, ob, oc, fp, record)
    local new, stored, number, top, since, first, n, biz, customer, g = head_step(text, at, is_in, is_ack, who, ob, oc, fp, record)
    if not new then
        return false
    end
    heads[n_heads + 1], heads[n_heads + 2] = id, new
    n_heads = n_heads + 2
    heads_read[id] = n_heads
    wins[n_wins + 1], wins[n_wins + 2] = id .. SLOT_NAMES[number % SLOTS], stored
    n_wins = n_wins + 2
    note_time(id, at, top)
    if is_in then
        if since == 0 then
            note_begin(id, at)
        end
    elseif since > 0 then
        local o = {'round', since, at, who, first, n, biz, who, g}
        figures_round(at, who, first, at - since, biz)
        closed[n_closed + 1], closed[n_closed + 2] = int(at), round_pack(customer, id, o, biz, measured and measured.book(o, 1))
        n_closed = n_closed + 2
        note_end(id)
    end
    return true
end

local function count_in(how, was, at, who, rules, shadow)
    if was then
        add_count(figures_of(was[1], was[4]), 'in', -1)
        count_rules(rules, shadow, was[1], was[4], 'pass', -1)
    end
    if how == 'new' or how == 'moved' then
        add_count(figures_of(at, who), 'in', 1)
        count_rules(rules, shadow, at, who, 'pass', 1)
    end
end

local function count_out(how, at, who, act, rules, shadow)
    if how ~= 'dup' and how ~= 'moved' then
        local action = ACTIONS[act] or 'pass'
        add_count(figures_of(at, who), action, 1)
        count_rules(rules, shadow, at, who, action, 1)
    end
end
