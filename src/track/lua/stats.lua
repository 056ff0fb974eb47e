-- Figures by hour and by day, one packed map per field `<hour or day number>|<scope>|<name>|<kind>`:
--   scope a agent, t team, s shop; kind f first replies, n next replies: {n, sum, w = {within LIMITS}, b = {bucket: count}}
--   scopes a, t, s with kind v: counters of messages by what became of them; scopes r (rules), x (shadow rules) with v
-- A hash holds one day's hours (or 28 days); its field `#` is that day's number, and a newer day empties it.
local stats = {}

local function stat_hash(base, slots, number)
    local index = base + number % slots
    local h = stats[index]
    if not h then
        local held = tonumber(call('HGET', KEYS[index], '#') or '-1')
        h = {held = held, was = held, f = {}}
        stats[index] = h
    end
    if number < h.held then
        return nil
    end
    if number > h.held then
        h.held, h.f = number, {}
    end
    return h, KEYS[index]
end

local function stat_field(h, key, field)
    local v = h.f[field]
    if not v then
        v = h.held == h.was and load_packed(key, field) or {}
        h.f[field] = v
    end
    return v
end

-- Calls fn(map) on the fields of that hour and that day.
local function stat_bump(at, scope, name, kind, fn, ...)
    if name == '' then
        return
    end
    local hour, day = floor(at / HOUR_MS), floor(at / DAY_MS)
    local h, key = stat_hash(FIRST_HOURS, HOURS, day)
    if h then
        fn(stat_field(h, key, hour .. '|' .. scope .. '|' .. name .. '|' .. kind), ...)
    end
    h, key = stat_hash(FIRST_DAYS, DAYS, floor(at / SPAN_MS))
    if h then
        fn(stat_field(h, key, day .. '|' .. scope .. '|' .. name .. '|' .. kind), ...)
    end
end

local function add_count(m, what, by)
    local n = (m[what] or 0) + by
    m[what] = n ~= 0 and n or nil
end

local function add_round(m, ms, by)
    m.n, m.sum = (m.n or 0) + by, (m.sum or 0) + by * ms
    m.w = m.w or {0, 0, 0, 0, 0}
    for i, limit in ipairs(LIMITS) do
        if ms <= limit then
            m.w[i] = m.w[i] + by
        end
    end
    m.b = m.b or {}
    add_count(m.b, tostring(hist_index(ms)), by)
    if m.n == 0 then
        m.n, m.sum, m.w, m.b = nil, nil, nil, nil
    end
end

local function stat_who(at, agent, team, shop, kind, fn, ...)
    stat_bump(at, 'a', agent, kind, fn, ...)
    stat_bump(at, 't', team, kind, fn, ...)
    stat_bump(at, 's', shop, kind, fn, ...)
end

local function stat_list(at, scope, names, what, by)
    for name in string.gmatch(names, '[^,]+') do
        stat_bump(at, scope, name, 'v', add_count, what, by)
    end
end

local function stats_write()
    for index, h in pairs(stats) do
        local key = KEYS[index]
        if h.held ~= h.was then
            call('DEL', key)
            call('HSET', key, '#', h.held)
        end
        for field, m in pairs(h.f) do
            if next(m) then
                call('HSET', key, field, pack(m))
            else
                call('HDEL', key, field)
            end
        end
        call('EXPIRE', key, index < FIRST_DAYS and 9 * 86400 or 113 * 86400)
    end
end
