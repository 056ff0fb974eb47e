-- needs: lib
-- For the dashboard, per shard; writes nothing. Answers are {now, row…}, numbers as strings.
--   'hour', hour number, agent…: {agent, first replies n, sum, within 3 s, 30 s, 60 s, 180 s, 300 s, next replies the
--       same, 'bucket:count,…' of both, 'what:count,…'}, one row per agent with figures in that hour
--   'open', since: {agent, conversations with a message since then}
--   'sizes': {open cases, the oldest one's time or 0, messages that wait for approval}
--   'violations', most: stream entries of outgoing messages that were not simply passed, or that a shadow rule hit, as
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

local function put_replies(row, m)
    local w = m.w or {0, 0, 0, 0, 0}
    for _, v in ipairs({m.n or 0, m.sum or 0, w[1], w[2], w[3], w[4], w[5]}) do
        row[#row + 1] = int(v)
    end
end

local function put_agent(name, f, n, v)
    local row = {name}
    f, n = f and unpack_mp(f) or {}, n and unpack_mp(n) or {}
    put_replies(row, f)
    put_replies(row, n)
    row[#row + 1] = pairs_text(f.b) .. ',' .. pairs_text(n.b)
    row[#row + 1] = pairs_text(v and unpack_mp(v))
    rows[#rows + 1] = row
end

local function read_hour(hour)
    local day = floor(hour / 24)
    local key = KEYS[FIRST_HOURS + day % HOURS]
    if call('HGET', key, '#') ~= tostring(day) then
        return
    end
    for from = 3, #ARGV, CHUNK do
        local fields, to = {}, math.min(from + CHUNK - 1, #ARGV)
        for i = from, to do
            for _, kind in ipairs({'f', 'n', 'v'}) do
                fields[#fields + 1] = hour .. '|a|' .. ARGV[i] .. '|' .. kind
            end
        end
        local held = call('HMGET', key, unpack(fields))
        for i = from, to do
            local at = 3 * (i - from)
            if held[at + 1] or held[at + 2] or held[at + 3] then
                put_agent(ARGV[i], held[at + 1], held[at + 2], held[at + 3])
            end
        end
    end
end

local function read_open(since)
    local count = {}
    for _, id in ipairs(call('ZRANGEBYSCORE', K.conv_at, int(since + IDLE_MS), '+inf', 'LIMIT', 0, MOST)) do
        local c = load_packed(K.conv, id)
        if c and c.t.at >= since then
            local agent = c.t.g ~= '' and c.t.g or c.t.og
            count[agent] = (count[agent] or 0) + 1
        end
    end
    for agent, n in pairs(count) do
        rows[#rows + 1] = {agent, int(n)}
    end
end

local function is_violation(entry)
    local kind, act, shadow
    for i = 1, #entry, 2 do
        if entry[i] == 'k' then
            kind = entry[i + 1]
        elseif entry[i] == 'act' then
            act = entry[i + 1]
        elseif entry[i] == 'shadow' or entry[i] == 'rules' then
            shadow = true
        end
    end
    return kind == 'out' and (shadow or act and act ~= '0')
end

local function read_violations(most)
    local upto, looked = '+', 0
    while #rows <= most and looked < LOOKED do
        local batch = call('XREVRANGE', K.stream, upto, '-', 'COUNT', BATCH)
        for _, e in ipairs(batch) do
            if #rows <= most and is_violation(e[2]) then
                rows[#rows + 1] = {e[1], unpack(e[2])}
            end
        end
        if #batch < BATCH then
            return
        end
        looked, upto = looked + #batch, '(' .. batch[#batch][1]
    end
end

local function read_sizes()
    local oldest = call('ZRANGE', K.case_open, 0, 0, 'WITHSCORES')
    rows[2] = {int(call('ZCARD', K.case_open)), oldest[2] or '0', K.held_at and int(call('ZCARD', K.held_at)) or '0'}
end

if ARGV[1] == 'sizes' then
    read_sizes()
elseif ARGV[1] == 'violations' then
    read_violations(tonumber(ARGV[2]))
elseif ARGV[1] == 'hour' then
    read_hour(tonumber(ARGV[2]))
else
    read_open(tonumber(ARGV[2]))
end
return rows
