-- Script apply: conversations as tables, and what is booked for them.
local ACTIONS = {[0] = 'pass', 'warn', 'rewrite', 'hold', 'block'}
local info, convs, custs, agents, moved_rounds, helds, saids, whos = {}, {}, {}, {}, {}, {}, {}, {}
local case_seq, rare

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
    convs[id], heads_read[id] = h, nil -- from now on by this table
    return h
end

-- Of a conversation that was stepped quickly comes more: what follows goes behind.
local function begin_anew()
    earlier[#earlier + 1] = {waits, looks, ends}
    waits, looks, n_waits, ends, n_ends = {'ZADD', K.waiting}, {'ZADD', K.remind_at, 'LT'}, 2, {'ZREM', K.waiting}, 2
end

local function conv_get(id, customer)
    local h, text = convs[id], heads_read[id]
    if h then
        return h
    elseif text == nil then
        text = busy_read[id]
    end
    if text == nil then
        text = call('HGET', K.conv, id)
    end
    if not text or not heads[text] then
        return conv_add(id, text, customer)
    end
    begin_anew()
    h = conv_add(id, heads[text])
    h.win = {[(h.total - 1) % SLOTS] = wins[text]} -- its newest record is not in Redis yet
    return h
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
        moved_rounds[#moved_rounds + 1] = {by, at, round_pack(h.cu, id, o[2], at, who, first, o[6], biz, measured and measured.book(o, by)),
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

-- The newest record of all, seen for the first time, in a conversation of which nothing unusual is known: what conv_put and
-- book do, without a table for the record and one for the round. False, and nothing done, where it is not so simple.
local function step_table(h, id, at, is_in, is_ack, who, ob, oc, fp, record)
    if not can_step or at <= h.top or h.p ~= '' or h.ref ~= '' or h.extra ~= '' or
        find(h.fps, fp, 1, true) and has_print(h.fps, fp) or h.fresh and has_print(h.fresh, fp) then
        return false
    end
    local number, since = h.total, h.since
    write_record(h, number, h.top, h, record)
    if is_in and since > 0 then
        h.n = h.n + 1
    elseif is_in then
        if h.at > 0 and at - h.at > SESSION_MS then
            h.rep = 0
        end
        h.since, h.og, h.n, h.so, h.sc = at, who, 1, ob, oc
    else
        if since > 0 then
            round_close(h.cu, id, since, at, who, 1 - h.rep, h.n, business(since, h.so, h.sc, at, ob, oc), h.og, h.g)
            h.since, h.og, h.n, h.so, h.sc, h.closed = 0, '', 0, 0, 0, true
        end
        h.rep, h.last, h.g = 1, at, who
        if not is_ack then
            h.news = at
        end
    end
    h.at, h.top, h.total, h.is_changed = at, at, number + 1, true
    remember(h, fp)
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
