-- What a reminder is about, as it stands now. Items: 'w\n<conversation>' somebody waits, 'c\n<case id>' a case that is not
-- worked on, 'n\n<case id>' one whose customer hears nothing, 'v\n<case id>' the visit after solving, 'p\n<conversation>\n
-- <record key>' a promised time. State of an item in K.remind:
--   {a anchor, s steps done, f fence, n node, l lease until, r recorded, c handed to the chat, z snoozed until}
-- Steps come from the caller: lists '<after_ms>:<agent|supervisor>[:call]' with commas.
local LOOK_AGAIN_MS, CALLS_A_DAY = DAY_MS, 2
local REVIEW_LOOK_MS, REVIEW_LOOK_EACH_MS, REVIEW_LOOK_MOST_MS = 5000, 200, 15 * 60000

local function conv_of(id)
    return conv_load(id)
end

local function parse_steps(text, want_call)
    local steps = {}
    for after, to, how in string.gmatch(text or '', '(%d+):(%a+):?(%a*)') do
        if want_call == nil or want_call == (how == 'call') then
            steps[#steps + 1] = {tonumber(after), to}
        end
    end
    return steps
end

local function about_waiting(id, conf)
    local c = conv_of(id)
    local t = c and c.t
    if not t or t.since == 0 then
        return nil
    end
    local agent = t.g ~= ''
    return {kind = 'unanswered', anchor = t.since, steps = conf.unanswered, conv = id, cust = c.cu,
        agent = agent and t.g or t.og, team = agent and t.t or t.ot, shop = agent and t.h or t.op, ref = '', n = t.n}
end

-- The common part of all that is about a case, and when its customer last heard of it.
local function about_case(id, case, kind)
    local c = conv_of(case.cv)
    local t = c and c.t
    local known = t and t.g ~= ''
    return {kind = kind, conv = case.cv, cust = case.cu, snoozed = case.sn, agent = case.as or known and t.g or case.g,
        team = known and t.t or case.t, shop = known and t.h or case.p, ref = id, n = case.sv},
        math.max(t and t.news or 0, case.nw or 0), t
end

-- The newest entry of a case's history that led to this state, or nil.
local function last_move(case, to)
    for i = #case.hist, 1, -1 do
        if case.hist[i][3] == to and case.hist[i][2] ~= to then
            return case.hist[i][1]
        end
    end
end

-- Did the customer write again, or was reached by telephone, since the case began?
local function has_answered(case, t, start)
    if t and t.since > start then
        return true
    end
    for _, h in ipairs(case.hist) do
        if h[1] >= start and h[6] == 'call' and h[7] == 'answered' then
            return true
        end
    end
    for _, packed in ipairs(call('ZRANGEBYSCORE', K.rounds, int(start), '+inf', 'LIMIT', 0, 2000)) do
        local r = unpack_mp(packed)
        if r[1] == case.cv and r[3] > start then
            return true
        end
    end
    return false
end

local function is_review(case)
    for _, kind in ipairs(case.kinds) do
        if string.find(kind, 'review') then
            return true
        end
    end
    return false
end

-- What decides about a review is said in the chat, and no event of the chat looks for reviews: each is looked at every 5 s, and
-- where there are many open cases so much more seldom that a shard looks at five a second.
local function review_look_ms()
    return math.min(math.max(REVIEW_LOOK_MS, REVIEW_LOOK_EACH_MS * call('ZCARD', K.case_open)), REVIEW_LOOK_MOST_MS)
end

-- A bad review: by chat first; by telephone when the chat stays without an answer, at most twice on a day of
-- the case's shop.
local function plan_review(a, case, news, t, conf)
    local start = last_move(case, 'reopened') or case.opened
    a.again = review_look_ms()
    if news <= start then
        a.kind, a.anchor, a.steps = 'review_chat', start, conf.review
    elseif not has_answered(case, t, start) then
        a.kind, a.anchor, a.steps = 'review_call', news, conf.review_call
        local calls = case.calls or {}
        local before = calls[#calls - CALLS_A_DAY + 1]
        local zone = before and zones_read()(case.p)
        a.not_before = before and zone.midnight(zone.day(before) + 1)
    end
end

local function about_open_case(id, conf)
    local case = load_packed(K.case, id)
    if not case or not call('ZSCORE', K.case_open, id) then
        return nil
    end
    local a, news, t = about_case(id, case, 'stale_case')
    a.anchor, a.steps = math.max(case.upd, news), conf.stale
    if is_review(case) and #conf.review + #conf.review_call > 0 then
        plan_review(a, case, news, t, conf)
    end
    return a
end

-- Only what happened without the customer's knowledge counts: where nothing happened at all, the case is stale.
local function about_cold_case(id, conf)
    local case = load_packed(K.case, id)
    if not case or not call('ZSCORE', K.case_open, id) then
        return nil
    end
    local a, news = about_case(id, case, 'cold_case')
    a.anchor = math.max(news, case.opened)
    a.steps = case.upd > a.anchor and conf.cold or {}
    return a
end

local function about_visit(id, conf)
    local case = load_packed(K.case, id)
    local solved = case and (case.s == 'solved' or case.s == 'closed') and last_move(case, 'solved')
    if not solved then
        return nil
    end
    local a, news = about_case(id, case, 'follow_up')
    local first = conf.follow[1] and conf.follow[1][1] or 0
    if (case.nw or 0) > solved or first > 0 and news > solved + first / 2 then
        return nil -- somebody asked already
    end
    a.anchor, a.steps = solved, conf.follow
    return a
end

local function about_promise(rest, conf)
    local conv, key = string.match(rest, '^(.-)\n(.*)$')
    local c, due = conv and conv_of(conv), tonumber(conv and call('ZSCORE', K.due, rest) or nil)
    for _, p in ipairs(c and due and c.t.p or {}) do
        if p[3] == key then
            local span = due - p[1]
            local lead = math.min(conf.before, floor(math.max(span, 0) / 2))
            local steps = {{span - lead, 'agent'}}
            for _, s in ipairs(conf.promise) do
                steps[#steps + 1] = {span + s[1], s[2]}
            end
            return {kind = 'commitment', anchor = due, from = p[1], conv = conv, cust = c.cu, agent = p[4], team = p[5],
                shop = p[6], ref = int(due), n = 0, steps = steps}
        end
    end
    return nil
end

local ABOUT = {w = about_waiting, c = about_open_case, n = about_cold_case, v = about_visit, p = about_promise}

local function item_about(item, conf)
    local about = ABOUT[string.sub(item, 1, 1)]
    local a = about and about(string.sub(item, 3), conf)
    if a then
        a.from = a.from or a.anchor
    end
    return a
end

-- The item's next step: about.due, about.step (from 0), about.to; nil when the item is gone. A new anchor starts over.
local function item_next(item, conf)
    local about = item_about(item, conf)
    if not about then
        return nil
    end
    local st = load_packed(K.remind, item) or {a = about.anchor, s = 0, f = 0, l = 0, n = '', r = 0, c = 0}
    if st.a ~= about.anchor then
        st = {a = about.anchor, s = 0, f = st.f, l = 0, n = '', r = 0, c = 0, z = st.z}
    end
    about.step = st.s
    local s = about.steps[st.s + 1]
    about.due = s and math.max(about.from + s[1], about.snoozed or 0, about.not_before or 0, st.z or 0)
    about.to = s and s[2] or ''
    return about, st
end

-- The steps: unanswered, stale_case, milliseconds before a promised time, after it, cold_case, review, follow_up.
local function conf_of(first)
    return {unanswered = parse_steps(ARGV[first]), stale = parse_steps(ARGV[first + 1]), before = tonumber(ARGV[first + 2]),
        promise = parse_steps(ARGV[first + 3] or '0:supervisor'), cold = parse_steps(ARGV[first + 4]),
        review = parse_steps(ARGV[first + 5], false), review_call = parse_steps(ARGV[first + 5], true),
        follow = parse_steps(ARGV[first + 6])}
end

-- What an item is called by people.
local function item_name(item)
    return SHARD .. '-' .. string.sub(redis.sha1hex(item), 1, 10)
end

local function forget_item(item)
    call('ZREM', K.remind_at, item)
    call('HDEL', K.remind, item)
end

local function look_at(item, at)
    call('ZADD', K.remind_at, int(at), item)
end

local function record(item, about, step, what, fields, now)
    local e = {'id', item .. ':' .. int(about.anchor) .. ':' .. step, 'k', 'reminder', 'at', int(now), 'what', what,
        'item', item_name(item),
        'kind', about.kind, 'step', step, 'to', about.to, 'agent', about.agent, 'team', about.team, 'shop', about.shop,
        'conv', about.conv, 'cust', about.cust, 'since', int(about.from), 'ref', about.ref}
    for _, f in ipairs(fields) do
        e[#e + 1] = f
    end
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX, '*', unpack(e))
end

-- The step for webhooks: those for a supervisor, and those for an agent that no chat shows.
local function tell_hooks(item, about, step, to, now)
    local severity = to == 'supervisor' and 2 or 1
    if about.kind == 'stale_case' or about.kind == 'cold_case' then
        severity = math.max(severity, about.n)
    end
    hook_put(item .. ':' .. int(about.anchor) .. ':' .. step, 'reminder', severity,
        severity >= 3 or to == 'supervisor' and about.kind == 'unanswered', {'kind', about.kind, 'step', int(step), 'to', to,
        'agent', about.agent, 'team', about.team, 'shop', about.shop, 'conv', about.conv, 'cust', about.cust,
        'since', int(about.from), 'ref', about.ref, 'item', item_name(item)}, now)
end
