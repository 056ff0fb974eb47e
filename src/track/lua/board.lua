-- needs: lib
-- For the dashboard, per shard; writes nothing. Answers are {now, row…}, numbers as strings.
--   'hour', hour number, agent…: {agent, first replies n, sum, within 3 s, 30 s, 60 s, 180 s, 300 s, next replies the
--       same, 'bucket:count,…' of both, 'what:count,…'}, one row per agent with figures in that hour
--   'open', since: {agent, conversations with a message since then}
local rows = {int(redis_now())}
local IDLE_MS, MOST, CHUNK = 2 * DAY_MS, 4000, 240

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

if ARGV[1] == 'hour' then
    read_hour(tonumber(ARGV[2]))
else
    read_open(tonumber(ARGV[2]))
end
return rows
