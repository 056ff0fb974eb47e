-- needs: names lib conv_form conv_text conv lists zone hook cases figures figures_fold:buckets figures_fold:figures_fold measure_make:measure
-- What people look at, per shard; readers merge the shards. Writes nothing but the log of
-- figures into their hashes. ARGV[1] names the question; every answer is
-- {now, row…}, numbers as strings.
local now = redis_now()
local rows = {int(now)}

local function add(...)
    local row = {...}
    for i, v in ipairs(row) do
        row[i] = type(v) == 'number' and int(v) or v
    end
    rows[#rows + 1] = row
end

local function pairs_text(m)
    local t = {}
    for k, v in pairs(m) do
        t[#t + 1] = k .. ':' .. int(v)
    end
    return table.concat(t, ',')
end

local read = {}

-- 'waiting', most: {conversation, customer, since, agent, team, shop, messages, and where they are measured units that passed the horizon}, longest first
function read.waiting(most)
    local known = call('HMGET', K.info, 'zone', 'tracking')
    local m = known[2] and known[2] ~= '' and measure_make()(known[1] or '', known[2])
    for _, id in ipairs(call('ZRANGE', K.waiting, 0, tonumber(most) - 1)) do
        local c = conv_load(id)
        if c then
            local t = c.t
            local replied = t.g ~= ''
            add(id, c.cu, t.since, replied and t.g or t.og, replied and t.t or t.ot, replied and t.h or t.op, t.n,
                m and m.count_lost(t, now) or nil)
        end
    end
end

local function nothing() end

local function add_figures(number_of, base, slots, per_hash, first, last, scope, only)
    figures_fold()
    first = math.max(first, (floor(last / per_hash) - slots + 1) * per_hash)
    for number = floor(first / per_hash), floor(last / per_hash) do
        local key = KEYS[base + number % slots]
        local all = call('HGET', key, '#') == tostring(number) and call('HGETALL', key) or {}
        for i = 1, #all, 2 do
            local at, of, name, kind = string.match(all[i], '^(%d+)|(%a)|(.*)|(%a)$')
            at = tonumber(at)
            if at and at >= first and at <= last and of == scope and (only == '' or only == name) then
                local m = unpack_mp(all[i + 1])
                if kind == 'v' then
                    add(name, kind, pairs_text(m), number_of(at))
                else
                    add(name, kind, m.n, m.sum, m.w[1], m.w[2], m.w[3], m.w[4], m.w[5], pairs_text(m.b), number_of(at))
                end
            end
        end
    end
end

-- 'figures', from_ms, to_ms, scope, name or '', anything: with the number of the hour behind each row: hours that overlap [from, to). {name, 'f' | 'n' | 'F' | 'N' | 'm', n, sum,
-- five counts of LIMITS, 'bucket:count,…'} and {name, 'v', 'what:count,…'}, one row per hour; F and N in business hours
function read.figures(from, to, scope, only, want_number)
    add_figures(want_number and tonumber or nothing, FIRST_HOURS, HOURS, 24, floor(from / HOUR_MS), floor((to - 1) / HOUR_MS), scope, only)
end

-- 'days', first day, last day, scope, name or '': the same by days of each shop's zone, the number of the day behind each row
function read.days(first, last, scope, only)
    add_figures(tonumber, FIRST_DAYS, DAYS, 28, tonumber(first), tonumber(last), scope, only)
end

-- 'sessions': {agent, last on, last off, node, team, shop}
function read.sessions()
    local all = call('HGETALL', K.agents)
    for i = 1, #all, 2 do
        local a = unpack_mp(all[i + 1])
        add(all[i], a.on, a.off, a.node, a.team, a.shop)
    end
end

-- 'rounds', agent or '', most, 'a', or 't' | 's' of a team or shop: {conversation, customer, start, end, agent, team, shop, first, messages, business ms or -1,
-- what its units came to (measure.lua), if they are measured}, newest first
function read.rounds(name, most, scope)
    local at = ({a = 5, t = 6, s = 7})[scope or 'a']
    for _, packed in ipairs(call('ZREVRANGE', K.rounds, 0, -1)) do
        local r = unpack_mp(packed)
        if #rows <= tonumber(most) and (name == '' or r[at] == name) then
            add(unpack(r))
        end
    end
end

local function add_case(c, news)
    add(c.id, c.s, c.sv, table.concat(c.kinds, ','), c.cu, c.g, c.t, c.p, c.opened, c.upd, c.n, table.concat(c.od, ','),
        c.cv, c.ru, c.wo, c.done, math.max(news, c.nw or 0), c.as or '', c.sn or 0, #(c.calls or {}),
        c.calls and c.calls[#c.calls] or 0)
end

local function news_of(c)
    local conv = conv_load(c.cv)
    return conv and conv.t.news or 0
end

-- 'cases', 'open' | 'all', most: {id, state, severity, kinds, customer, agent, team, shop, opened, updated, complaints,
-- order numbers, conversation, rule, words, done, last news to the customer, assigned to, snoozed until, calls, last call},
-- oldest first, then finished ones
function read.cases(which, most)
    local ids = call('ZRANGE', K.case_open, 0, tonumber(most) - 1)
    if which == 'all' then
        for _, id in ipairs(call('ZREVRANGE', K.case_done, 0, tonumber(most) - 1)) do
            ids[#ids + 1] = id
        end
    end
    for _, id in ipairs(ids) do
        local c = load_packed(K.case, id)
        if c then
            add_case(c, news_of(c))
        end
    end
end

-- 'case', id: as above, then {'hist', at, from, to, who, why}…, of acts besides what and value
function read.case(id)
    local c = load_packed(K.case, id)
    if c then
        add_case(c, news_of(c))
        for _, h in ipairs(c.hist) do
            add('hist', unpack(h))
        end
    end
end

-- 'commitments', most: {conversation, customer, agent, team, shop, made, due, rule, name}, soonest first
function read.commitments(most)
    local all = call('ZRANGE', K.due, 0, tonumber(most) - 1, 'WITHSCORES')
    for i = 1, #all, 2 do
        local id, key = string.match(all[i], '^(.-)\n(.*)$')
        local c = conv_load(id)
        for _, p in ipairs(c and c.t.p or {}) do
            if p[3] == key then
                add(id, c.cu, p[4], p[5], p[6], p[1], tonumber(all[i + 1]), p[7],
                    SHARD .. '-' .. string.sub(redis.sha1hex('p\n' .. all[i]), 1, 10))
            end
        end
    end
end

-- 'reminders', most: stream entries of kind reminder as {stream id, field, value…}, newest first
function read.reminders(most)
    local upto, looked = '+', 0
    while #rows <= tonumber(most) and looked < 20000 do
        local batch = call('XREVRANGE', K.stream, upto, '-', 'COUNT', 1000)
        for _, e in ipairs(batch) do
            if e[2][4] == 'reminder' and #rows <= tonumber(most) then
                add(e[1], unpack(e[2]))
            end
        end
        if #batch < 1000 then
            return
        end
        looked, upto = looked + #batch, '(' .. batch[#batch][1]
    end
end

-- 'counting': {zone, tracking, since when, zones of shops}: how this shard's figures are counted. That of the shard with
-- the newest holds for all: others have had no event since
function read.counting()
    local known = call('HMGET', K.info, 'zone', 'tracking', 'tracking_at', 'zones')
    if known[3] then
        add(known[1] or '', known[2] or '', known[3], known[4] or '-')
    end
end

-- 'info': {field, value}…
function read.info()
    local all = call('HGETALL', K.info)
    for i = 1, #all, 2 do
        add(all[i], all[i + 1])
    end
end

read[ARGV[1]](unpack(ARGV, 2))
return rows
