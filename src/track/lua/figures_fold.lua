-- The log of figures into the hashes, when this is called. Nothing is written before all is computed.
local LIMITS = {3000, 30000, 60000, 180000, 300000}
local ROUND_KINDS = {f = true, n = true, F = true, N = true, m = true}
local stats, bucket_names = {}, {}

-- To print a number costs as much as to add it up several times.
local function bucket_name(index)
    local name = bucket_names[index]
    if not name then
        name = tostring(index)
        bucket_names[index] = name
    end
    return name
end

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

local function add_counts(to, from)
    for what, by in pairs(from) do
        local n = (to[what] or 0) + by
        to[what] = n ~= 0 and n or nil
    end
end

local function add_rounds(to, from)
    to.n, to.sum, to.w, to.b = (to.n or 0) + from.n, (to.sum or 0) + from.sum, to.w or {0, 0, 0, 0, 0}, to.b or {}
    for i, by in ipairs(from.w) do
        to.w[i] = to.w[i] + by
    end
    add_counts(to.b, from.b)
    if to.n == 0 then
        to.n, to.sum, to.w, to.b = nil, nil, nil, nil
    end
end

-- Adds to the fields of that hour and of its day in that zone.
local function stat_add(hour, zone, scope, name, kind, add, what)
    if name == '' then
        return
    end
    local day, rest = zone.day(hour * HOUR_MS), '|' .. scope .. '|' .. name .. '|' .. kind
    local h, key = stat_hash(FIRST_HOURS, HOURS, floor(hour / 24))
    if h then
        add(stat_field(h, key, floor(hour) .. rest), what)
    end
    h, key = stat_hash(FIRST_DAYS, DAYS, floor(day / 28))
    if h then
        add(stat_field(h, key, day .. rest), what)
    end
end

local function stat_add_hits(hour, zone, name, hits)
    local h, key = stat_hash(FIRST_HOURS, HOURS, floor(hour / 24))
    if h and name ~= '' then
        add_counts(stat_field(h, key, zone.day(hour * HOUR_MS) .. '|a|' .. name .. '|h'), hits)
    end
end

local function rounds_of(list)
    local m = {n = 0, sum = 0, w = {0, 0, 0, 0, 0}, b = {}}
    for _, ms in ipairs(list) do
        local by = 1
        if ms < 0 then
            by, ms = -1, -1 - ms
        end
        m.n, m.sum = m.n + by, m.sum + by * ms
        local i = ms <= LIMITS[1] and 1 or ms <= LIMITS[2] and 2 or ms <= LIMITS[3] and 3 or ms <= LIMITS[4] and 4 or 5
        if ms <= LIMITS[i] then
            m.w[i] = m.w[i] + by
        end
        local bucket = bucket_name(hist_index(ms))
        m.b[bucket] = (m.b[bucket] or 0) + by
    end
    for i = 2, #LIMITS do
        m.w[i] = m.w[i] + m.w[i - 1]
    end
    return m
end

local function merge_lists(to, from)
    for what, v in pairs(from) do
        if type(v) ~= 'table' then
            to[what] = (to[what] or 0) + v
        elseif not to[what] then
            to[what] = v
        else
            for _, ms in ipairs(v) do
                table.insert(to[what], ms)
            end
        end
    end
end

local function fold_who(hour, zones, who, m)
    local names, counts, hits = {}, {}, {}
    names.a, names.t, names.s = unpack_mp(who)
    local zone = zones(names.s)
    for what, v in pairs(m) do
        if find(what, '[@?]') then
            hits[what] = v
        elseif not ROUND_KINDS[what] and v ~= 0 then -- what was counted and taken back may lie in a day to come
            counts[what] = v
        end
    end
    if next(hits) then
        stat_add_hits(hour, zone, names.a, hits)
    end
    for scope, name in pairs(names) do
        if next(counts) then
            stat_add(hour, zone, scope, name, 'v', add_counts, counts)
        end
        for kind in pairs(ROUND_KINDS) do
            if m[kind] then
                m[kind] = m[kind].n and m[kind] or rounds_of(m[kind])
                stat_add(hour, zone, scope, name, kind, add_rounds, m[kind])
            end
        end
    end
end

local function stats_write()
    for index, h in pairs(stats) do
        local key, set = KEYS[index], {}
        if h.held ~= h.was then
            call('DEL', key)
            set[1], set[2] = '#', int(h.held)
        end
        for field, m in pairs(h.f) do
            if next(m) then
                set[#set + 1], set[#set + 2] = field, pack(m)
            elseif h.held == h.was then
                call('HDEL', key, field)
            end
            if #set >= 1000 then
                call('HSET', key, unpack(set))
                set = {}
            end
        end
        if #set > 0 then
            call('HSET', key, unpack(set))
        end
        call('EXPIRE', key, index < FIRST_DAYS and 9 * 86400 or 113 * 86400)
    end
end

local merged = {}

local function merged_hour(hour)
    local all = merged[hour]
    if not all then
        all = {}
        merged[hour] = all
    end
    return all
end

local function merge_messages(e)
    local hour, all = nil, nil
    for i = 2, #e, 4 do
        if e[i] ~= hour then
            hour = e[i]
            all = merged_hour(hour)
        end
        local who, received, passed = e[i + 1], e[i + 2], e[i + 3]
        local m = all[who]
        if not m then
            m = {}
            all[who] = m
        end
        if received > 0 then
            m['in'] = (m['in'] or 0) + received
        end
        if passed > 0 then
            m.pass = (m.pass or 0) + passed
        end
    end
end

local function merge_rounds(e)
    for i = 2, #e, 4 do
        local all, who, v, biz = merged_hour(e[i]), e[i + 1], e[i + 2], e[i + 3]
        local is_first, m = v % 2 == 1, all[who]
        if not m then
            m = {}
            all[who] = m
        end
        add_to_list(m, is_first and 'f' or 'n', floor(v / 2), 1)
        if biz >= 0 then
            add_to_list(m, is_first and 'F' or 'N', biz, 1)
        end
    end
end

local function merge_map(e)
    for hour, all in pairs(e) do
        hour = tonumber(hour)
        local into = merged_hour(hour)
        for who, m in pairs(all) do
            local to = into[who]
            if not to then
                into[who] = m
            elseif who == 'r' or who == 'x' then
                for name, counts in pairs(m) do
                    to[name] = to[name] or {}
                    merge_lists(to[name], counts)
                end
            else
                merge_lists(to, m)
            end
        end
    end
end

for _, entry in ipairs(call('LRANGE', K.figlog, 0, -1)) do
    local e = unpack_mp(entry)
    if e[1] == LOG_MESSAGES then
        merge_messages(e)
    elseif e[1] == LOG_ROUNDS then
        merge_rounds(e)
    else
        merge_map(e)
    end
end
if not next(merged) then
    return true
end
local zones = zones_read()
for hour, all in pairs(merged) do
    for who, m in pairs(all) do
        if who == 'r' or who == 'x' then
            for name, counts in pairs(m) do
                stat_add(hour, zones(''), who, name, 'v', add_counts, counts)
            end
        else
            fold_who(hour, zones, who, m)
        end
    end
end
call('DEL', K.figlog)
stats_write()
return true
