-- The frame of script apply: what it is called with, conversations, what is booked for them.
local NOT_LIVE_MS, LATE_MS, ROUNDS_MAX = DAY_MS, 7 * DAY_MS, 2000
local RING_KEEP_MS, RINGS_MAX, AGENT_KEEP_MS = 30 * DAY_MS, 512, 30 * DAY_MS
local CONV_IDLE_MS, CONV_OPEN_MS, CONV_MAX, CONV_SLACK_MS = 2 * DAY_MS, 7 * DAY_MS, 50000, HOUR_MS
local SWEEP_EVENTS, SWEEP_MS = 64, 1000
local ACTIONS = {[0] = 'pass', 'warn', 'rewrite', 'hold', 'block'}
local ring, offset, node, n = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local last = tonumber(call('HGET', K.applied, ring) or '0')
local known = call('HMGET', K.info, 'schema', 'swept', 'folded', 'folded_at', 'zone', 'tracking')
local zone, measure = ARGV[6 + 2 * n] or known[5] or '', ARGV[7 + 2 * n] or known[6] or ''
local held = tonumber(known[1] or SCHEMA)
if ARGV[1] ~= tostring(SCHEMA) or held > SCHEMA + 1 then
    return {last, 0, 0, 'VERSION'}
end

local now = redis_now()
local info, convs, custs, agents, moved_rounds, helds, saids, whos = {}, {}, {}, {}, {}, {}, {}, {}
local case_seq, rare

if measure ~= '' then
    measured = measure_make(zone, measure)
    note_open, note_more, note_reply = measured.note_open, measured.note_more, measured.note_reply
end
local from_utc, from_utc_before = string.match(zone, '^%S+ (%-?%d+) ?(%-?%d*)')
if (tonumber(from_utc) or 0) % HOUR_MS ~= 0 or (tonumber(from_utc_before) or 0) % HOUR_MS ~= 0 then
    figures_by_quarters()
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

local function conv_get(id, customer)
    local h = convs[id]
    if not h then
        local text = call('HGET', K.conv, id)
        if not text then
            h = conv_new(customer)
        elseif string.byte(text) == CONV_HEAD then
            h = head_unpack(text)
        else
            h = conv_from_1(text)
        end
        h.was_since, h.was_p = h.since, h.p
        convs[id] = h
    end
    return h
end

local function book(h, id, o, by)
    if o[1] == 'round' then
        h.closed = true
        local start, at, who, first, biz = o[2], o[3], o[4], o[5] == 1, o[7]
        local f = figures_of(at, who)
        add_to_list(f, first and 'f' or 'n', at - start, by)
        if biz >= 0 then
            add_to_list(f, first and 'F' or 'N', biz, by)
        end
        -- a list of ten, measured of eleven: `who` is three packed values already
        local round = pack(id, h.cu, start, at) .. who .. pack(o[5], o[6], biz)
        moved_rounds[#moved_rounds + 1] = {by, at, measured and '\155' .. round .. pack(measured.book(o, by)) or '\154' .. round}
    else
        local outcome = rare().promise_outcome(id, o)
        if outcome then
            add_count(figures_of(o[4], o[5]), 'promise_' .. outcome, by)
        end
    end
end

-- What the record itself counts as, apart from rounds.
local function count_rules(rules, shadow, at, what, by)
    if rules ~= '' then
        stat_list(at, 'r', rules, what, by)
    end
    if shadow ~= '' then
        stat_list(at, 'x', shadow, what, by)
    end
end

local function put(id, customer, is_live, r, fp)
    if id == '' then
        return 'new'
    end
    if r[1] < now - (is_live and LATE_MS or NOT_LIVE_MS) then
        count('late', 1)
        return 'late'
    end
    local h = conv_get(id, customer)
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

local function count_in(how, was, at, who, rules, shadow)
    if was then
        add_count(figures_of(was[1], was[4]), 'in', -1)
        count_rules(rules, shadow, was[1], 'pass', -1)
    end
    if how == 'new' or how == 'moved' then
        add_count(figures_of(at, who), 'in', 1)
        count_rules(rules, shadow, at, 'pass', 1)
    end
end

local function count_out(how, at, who, act, rules, shadow)
    if how ~= 'dup' and how ~= 'moved' then
        local action = ACTIONS[act] or 'pass'
        add_count(figures_of(at, who), action, 1)
        count_rules(rules, shadow, at, action, 1)
    end
end
