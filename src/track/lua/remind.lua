-- What a reminder is about, as it stands now. Items: 'w\n<conversation>' somebody waits, 'c\n<case id>' a case without
-- news, 'p\n<conversation>\n<record key>' a promised time. State of an item in K.remind:
--   {a anchor, s steps done, f fence, n node, l lease until, r recorded, c handed to the chat}
-- Steps come from the caller: lists '<after_ms>:<agent|supervisor>' with commas.
local LOOK_AGAIN_MS = DAY_MS

local function parse_steps(text)
    local steps = {}
    for after, to in string.gmatch(text, '(%d+):(%a+)') do
        steps[#steps + 1] = {tonumber(after), to}
    end
    return steps
end

local function item_about(item, conf)
    local kind, rest = string.sub(item, 1, 1), string.sub(item, 3)
    if kind == 'w' then
        local c = load_packed(K.conv, rest)
        local t = c and c.t
        if not t or t.since == 0 then
            return nil
        end
        local agent = t.g ~= ''
        return {kind = 'unanswered', anchor = t.since, from = t.since, steps = conf.unanswered, conv = rest, cust = c.cu,
            agent = agent and t.g or t.og, team = agent and t.t or t.ot, shop = agent and t.h or t.op, ref = '', n = t.n}
    elseif kind == 'c' then
        local case = load_packed(K.case, rest)
        if not case or not call('ZSCORE', K.case_open, rest) then
            return nil
        end
        local c = load_packed(K.conv, case.cv)
        local anchor = math.max(case.upd, c and c.t.news or 0)
        local agent = c and c.t.g ~= ''
        return {kind = 'stale_case', anchor = anchor, from = anchor, steps = conf.stale, conv = case.cv, cust = case.cu,
            snoozed = case.sn, agent = case.as or agent and c.t.g or case.g, team = agent and c.t.t or case.t, shop = agent and c.t.h or case.p,
            ref = rest, n = case.sv}
    end
    local conv, key = string.match(rest, '^(.-)\n(.*)$')
    local c = conv and load_packed(K.conv, conv)
    for _, p in ipairs(c and c.t.p or {}) do
        if p[3] == key then
            local lead = math.min(conf.before, floor(math.max(p[2] - p[1], 0) / 2))
            local span = p[2] - p[1]
            return {kind = 'commitment', anchor = p[2], from = p[1], conv = conv, cust = c.cu, agent = p[4], team = p[5],
                shop = p[6], ref = int(p[2]), n = 0, steps = {{span - lead, 'agent'}, {span, 'supervisor'}}}
        end
    end
    return nil
end

-- The item's next step: about.due, about.step (from 0), about.to; nil when the item is gone. A new anchor starts over.
local function item_next(item, conf)
    local about = item_about(item, conf)
    if not about then
        return nil
    end
    local st = load_packed(K.remind, item) or {a = about.anchor, s = 0, f = 0, l = 0, n = '', r = 0, c = 0}
    if st.a ~= about.anchor then
        st = {a = about.anchor, s = 0, f = st.f, l = 0, n = '', r = 0, c = 0}
    end
    about.step = st.s
    local s = about.steps[st.s + 1]
    about.due = s and math.max(about.from + s[1], about.snoozed or 0)
    about.to = s and s[2] or ''
    return about, st
end

local function conf_of(first)
    return {unanswered = parse_steps(ARGV[first]), stale = parse_steps(ARGV[first + 1]), before = tonumber(ARGV[first + 2])}
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
    if about.kind == 'stale_case' then
        severity = math.max(severity, about.n)
    end
    hook_put(item .. ':' .. int(about.anchor) .. ':' .. step, 'reminder', severity,
        severity >= 3 or to == 'supervisor' and about.kind == 'unanswered', {'kind', about.kind, 'step', int(step), 'to', to,
        'agent', about.agent, 'team', about.team, 'shop', about.shop, 'conv', about.conv, 'cust', about.cust,
        'since', int(about.from), 'ref', about.ref}, now)
end
