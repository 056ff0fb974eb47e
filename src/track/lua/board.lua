-- needs: names lib conv_form conv zone figures figures_fold:buckets figures_fold:figures_fold
-- For the dashboard, per shard; writes nothing but the log of figures into their hashes. Answers are {now, row…},
-- numbers as strings.
--   'hour', hour number, agent…: {agent, first replies n, sum, within 3 s, 30 s, 60 s, 180 s, 300 s, next replies the
--       same, 'bucket:count,…' of both, 'what:count,…'}, one row per agent with figures in that hour
--       and the same in business hours: first, next, 'bucket:count,…'; then replies as the deployment measures them, the same
--       7 numbers
--   'day', two hours 'FROM,TO', agents with line feeds between: as 'hour', summed over these hours
--   'open', since: {agent, conversations with a message since then}
--   'violation', stream id: that entry, as below
--   'rules', day borders (hours, with commas), rule ids (with commas): {id, 'r' | 'x' on trial, number of the day between two
--       borders from 0, 'what:count,…'}
--   'hits', two days 'FIRST,LAST', agents with line feeds between: what rules did to their messages, as 'rules', the day from
--       FIRST on
--   'gaps': {when, node, lost events} of the newest entries, the newest first
--   'sizes': {open cases, the oldest one's time or 0, messages that wait for approval, events for webhooks, zone, tracking,
--       since when, zones of shops (of `info`)}
--   'violations', most, agent or '': stream entries of outgoing messages that were not simply passed, or that a shadow rule hit, as
--       {stream id, field, value…}, newest first; of the newest LOOKED entries
local rows = {int(redis_now())}
local IDLE_MS, MOST, CHUNK, LOOKED, BATCH = 2 * DAY_MS, 4000, 240, 3000, 500

local function pairs_text(m)
    local t = {}
    for k, v in pairs(m or {}) do
        t[#t + 1] = k .. ':' .. int(v)
    end
    return table.concat(t, ',')
end

local function numbers(text)
    local list = {}
    for v in string.gmatch(text, '%d+') do
        list[#list + 1] = tonumber(v)
    end
    return list
end

local function put_replies(row, m)
    local at = #row
    if not m.n then -- nothing was counted, which is the most common
        for i = at + 1, at + 7 do
            row[i] = '0'
        end
        return
    end
    row[at + 1], row[at + 2] = int(m.n), int(m.sum)
    for i = 1, 5 do
        row[at + 2 + i] = int(m.w[i])
    end
end

local KINDS = {'f', 'n', 'v', 'F', 'N', 'm'}

local NO_REPLIES = {}

local function put_agent(name, m)
    local row = {name}
    local f, n, F, N = m.f or NO_REPLIES, m.n or NO_REPLIES, m.F or NO_REPLIES, m.N or NO_REPLIES
    put_replies(row, f)
    put_replies(row, n)
    row[#row + 1] = pairs_text(f.b) .. ',' .. pairs_text(n.b)
    row[#row + 1] = pairs_text(m.v)
    put_replies(row, F)
    put_replies(row, N)
    row[#row + 1] = pairs_text(F.b) .. ',' .. pairs_text(N.b)
    put_replies(row, m.m or NO_REPLIES)
    rows[#rows + 1] = row
end

local function add_map(to, from)
    for k, v in pairs(from) do
        if type(v) == 'table' then
            to[k] = to[k] or {}
            add_map(to[k], v)
        else
            to[k] = (to[k] or 0) + v
        end
    end
end

-- Adds the figures of hours [from, to] of one day, of some agents, to sums[name].
local function add_hours(sums, names, from, to)
    local day, hours = floor(from / 24), to - from + 1
    local key = KEYS[FIRST_HOURS + day % HOURS]
    if call('HGET', key, '#') ~= tostring(day) then
        return
    end
    local at_once = math.max(1, floor(CHUNK / hours))
    for first = 1, #names, at_once do
        local fields = {}
        for i = first, math.min(first + at_once - 1, #names) do
            for hour = from, to do
                local stem = hour .. '|a|' .. names[i] .. '|'
                for _, kind in ipairs(KINDS) do
                    fields[#fields + 1] = stem .. kind
                end
            end
        end
        for i, held in ipairs(call('HMGET', key, unpack(fields))) do
            if held then
                local name, kind = names[first + floor((i - 1) / #KINDS / hours)], KINDS[(i - 1) % #KINDS + 1]
                local sum = sums[name] or {}
                sums[name] = sum
                if sum[kind] then
                    add_map(sum[kind], unpack_mp(held))
                else
                    sum[kind] = unpack_mp(held)
                end
            end
        end
    end
end

local function put_sums(sums, names)
    for _, name in ipairs(names) do
        if sums[name] then
            put_agent(name, sums[name])
        end
    end
end

-- A name a line.
local function names_of(list)
    local names = {}
    for name in string.gmatch(list, '[^\n]+') do
        names[#names + 1] = name
    end
    return names
end

local function read_hour(hour)
    figures_fold()
    local names, sums = {unpack(ARGV, 3)}, {}
    add_hours(sums, names, hour, hour)
    put_sums(sums, names)
end

local function read_day(borders, list)
    figures_fold()
    local names, sums = names_of(list), {}
    local first, last = borders[1], borders[2] - 1
    for day = floor(first / 24), floor(last / 24) do
        add_hours(sums, names, math.max(first, 24 * day), math.min(last, 24 * day + 23))
    end
    put_sums(sums, names)
end

local function read_open(since)
    local count = {}
    for _, id in ipairs(call('ZRANGEBYSCORE', K.conv_at, int(since + IDLE_MS), '+inf', 'LIMIT', 0, MOST)) do
        local c = conv_load(id)
        if c and c.t.at >= since then
            local agent = c.t.g ~= '' and c.t.g or c.t.og
            count[agent] = (count[agent] or 0) + 1
        end
    end
    for agent, n in pairs(count) do
        rows[#rows + 1] = {agent, int(n)}
    end
end

local function is_violation(entry, agent)
    local kind, act, shadow
    for i = 1, #entry, 2 do
        if entry[i] == 'k' then
            kind = entry[i + 1]
        elseif entry[i] == 'act' then
            act = entry[i + 1]
        elseif entry[i] == 'shadow' or entry[i] == 'rules' then
            shadow = true
        elseif entry[i] == 'agent' and agent and agent ~= '' and entry[i + 1] ~= agent then
            return false
        end
    end
    return kind == 'out' and (shadow or act and act ~= '0')
end

local function read_violations(most, agent)
    local upto, looked = '+', 0
    while #rows <= most and looked < LOOKED do
        local batch = call('XREVRANGE', K.stream, upto, '-', 'COUNT', BATCH)
        for _, e in ipairs(batch) do
            if #rows <= most and is_violation(e[2], agent) then
                rows[#rows + 1] = {e[1], unpack(e[2])}
            end
        end
        if #batch < BATCH then
            return
        end
        looked, upto = looked + #batch, '(' .. batch[#batch][1]
    end
end

-- Which rules were hit on a day (of the deployment's zone) stands in the figures by day; only of those the hours are read.
local function days_of_rules(first, last, ids)
    local found = {}
    for day = first, last do
        local span = floor(day / 28)
        local key = KEYS[FIRST_DAYS + span % DAYS]
        if call('HGET', key, '#') == tostring(span) then
            for from = 1, #ids, CHUNK do
                local to, fields = math.min(from + CHUNK - 1, #ids), {}
                for i = from, to do
                    fields[#fields + 1], fields[#fields + 2] = day .. '|r|' .. ids[i] .. '|v', day .. '|x|' .. ids[i] .. '|v'
                end
                for n, v in ipairs(call('HMGET', key, unpack(fields))) do
                    if v then
                        found[#found + 1] = {day, n % 2 == 1 and 'r' or 'x', ids[from + floor((n - 1) / 2)]}
                    end
                end
            end
        end
    end
    return found
end

-- {hour, field} of hours [from, to] that hold a field of this kind, a question for each day of UTC.
local function hours_held(kind, from, to)
    local list = {}
    for day = floor(from / 24), floor(to / 24) do
        local first, key, fields = math.max(from, 24 * day), KEYS[FIRST_HOURS + day % HOURS], {}
        for hour = first, math.min(to, 24 * day + 23) do
            fields[#fields + 1] = hour .. kind
        end
        for i, v in ipairs(call('HGET', key, '#') == tostring(day) and call('HMGET', key, unpack(fields)) or {}) do
            if v then
                list[#list + 1] = {first + i - 1, v}
            end
        end
    end
    return list
end

local function read_rules(borders, list)
    figures_fold()
    local ids, sums = {}, {}
    for id in string.gmatch(list, '[^,]+') do
        ids[#ids + 1] = id
    end
    local last, zone = borders[#borders], zone_make(call('HGET', K.info, 'zone') or '')
    local done = {} -- two days share an hour where they do not begin at a full one
    for _, f in ipairs(days_of_rules(zone.day(borders[1] * HOUR_MS), zone.day(last * HOUR_MS - 1), ids)) do
        local kind = '|' .. f[2] .. '|' .. f[3] .. '|v'
        local from, to = floor(zone.midnight(f[1]) / HOUR_MS), floor((zone.midnight(f[1] + 1) - 1) / HOUR_MS)
        for _, v in ipairs(hours_held(kind, done[kind] and math.max(from, done[kind] + 1) or from, to)) do
            local hour, day = v[1], 0
            while borders[day + 1] and hour >= borders[day + 1] do
                day = day + 1
            end
            if day > 0 and day < #borders then
                local name = f[2] .. day .. ' ' .. f[3]
                local sum = sums[name] or {f[3], f[2], day - 1, {}}
                sums[name] = sum
                for what, n in pairs(unpack_mp(v[2])) do
                    sum[4][what] = (sum[4][what] or 0) + n
                end
            end
        end
        done[kind] = to
    end
    for _, s in pairs(sums) do
        rows[#rows + 1] = {s[1], s[2], int(s[3]), pairs_text(s[4])}
    end
end

local function add_hits(sums, day, counts)
    for name, n in pairs(counts) do
        local what, mark, rule = string.match(name, '^(%a+)([@?])(.+)$')
        if what then
            local key = mark .. day .. ' ' .. rule
            local sum = sums[key] or {rule, mark == '@' and 'r' or 'x', day, {}}
            sums[key] = sum
            sum[4][what] = (sum[4][what] or 0) + n
        end
    end
end

local function add_hits_of(sums, key, day, number, names)
    for from = 1, #names, CHUNK do
        local fields = {}
        for i = from, math.min(from + CHUNK - 1, #names) do
            fields[#fields + 1] = day .. '|a|' .. names[i] .. '|h'
        end
        for _, v in ipairs(call('HMGET', key, unpack(fields))) do
            if v then
                add_hits(sums, number, unpack_mp(v))
            end
        end
    end
end

local function read_hits(days, list)
    figures_fold()
    local names, sums = names_of(list), {}
    for utc = days[1] - 1, days[2] + 1 do -- a day of another zone begins or ends on the next one of UTC
        local key = KEYS[FIRST_HOURS + utc % HOURS]
        local is_held = call('HGET', key, '#') == tostring(utc)
        for day = math.max(utc - 1, days[1]), is_held and math.min(utc + 1, days[2]) or 0 do
            add_hits_of(sums, key, day, day - days[1], names)
        end
    end
    for _, s in pairs(sums) do
        rows[#rows + 1] = {s[1], s[2], int(s[3]), pairs_text(s[4])}
    end
end

local function read_gaps()
    for _, e in ipairs(call('XREVRANGE', K.stream, '+', '-', 'COUNT', LOOKED)) do
        if e[2][4] == 'gap' then
            local m = {}
            for i = 1, #e[2], 2 do
                m[e[2][i]] = e[2][i + 1]
            end
            rows[#rows + 1] = {m.at, m.node, m.count or '0'}
        end
    end
end

local function read_sizes()
    local oldest = call('ZRANGE', K.case_open, 0, 0, 'WITHSCORES')
    rows[2] = {int(call('ZCARD', K.case_open)), oldest[2] or '0', int(call('ZCARD', K.held_at)),
        int(call('HLEN', K.hook))}
    for _, v in ipairs(call('HMGET', K.info, 'zone', 'tracking', 'tracking_at', 'zones')) do
        rows[2][#rows[2] + 1] = v or ''
    end
end

if ARGV[1] == 'violation' then
    for _, e in ipairs(call('XRANGE', K.stream, ARGV[2], ARGV[2])) do
        if is_violation(e[2]) then
            rows[2] = {e[1], unpack(e[2])}
        end
    end
elseif ARGV[1] == 'rules' then
    read_rules(numbers(ARGV[2]), ARGV[3])
elseif ARGV[1] == 'hits' then
    read_hits(numbers(ARGV[2]), ARGV[3])
elseif ARGV[1] == 'day' then
    read_day(numbers(ARGV[2]), ARGV[3])
elseif ARGV[1] == 'gaps' then
    read_gaps()
elseif ARGV[1] == 'sizes' then
    read_sizes()
elseif ARGV[1] == 'violations' then
    read_violations(tonumber(ARGV[2]), ARGV[3])
elseif ARGV[1] == 'hour' then
    read_hour(tonumber(ARGV[2]))
else
    read_open(tonumber(ARGV[2]))
end
return rows
