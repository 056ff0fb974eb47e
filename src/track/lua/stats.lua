-- Figures by hour and by day, one packed map per field `<hour or day number>|<scope>|<name>|<kind>`:
--   scope a agent, t team, s shop; kind f first replies, n next replies, F and N the same in business hours:
--       {n, sum, w = {within LIMITS}, b = {bucket: count}}; m replies as the deployment measures them (measure.lua)
--   scopes a, t, s with kind v: counters of messages by what became of them; scopes r (rules), x (shadow rules) with v
--   scope a with kind h: an agent's counters `WHAT@RULE` and `WHAT?RULE` (shadow rules) of a day. They stand beside the hours,
--       in which they arose (a day of another zone lies in two hashes), since nobody looks at them for longer
-- Hours are those of UTC, days those of the shop where an event was, for rules the deployment's (zone.lua). A hash holds one day's hours (of UTC; or 28
-- days); its field `#` is that day's number, and a newer day empties it.
--
-- A call adds what it counted to a log, in at most three entries: {1, hour, who, in, pass, hour, …}, plain messages as the gateway
-- counted them; {2, hour, who, 2 ms + 1 if it is a first one, ms of business time or -1, hour, …}, rounds; and all else as {hour: {who or 'r'
-- or 'x': {what: count, f n F N: {ms…}}}}, where a negative number -1-ms takes a round back. Where days do not begin at a full hour,
-- `hour` has quarters. The log is folded into the hashes every FOLD_EVENTS or FOLD_MS, and before anybody reads.
local LIMITS = {3000, 30000, 60000, 180000, 300000}
local FOLD_EVENTS, FOLD_MS = 8192, 60000
local ROUND_KINDS = {f = true, n = true, F = true, N = true, m = true}

local LOG_MESSAGES, LOG_ROUNDS = 1, 2

local figures_of, figures_round, figures_by_quarters, add_count, add_to_list, stat_list, stat_hits, figures_log, figures_fold
do
    local figures, rounds, n_rounds = {}, {LOG_ROUNDS}, 1 -- of this call
    local round_hour, round_from = nil, -1e15
    local step = HOUR_MS
    local newest, newest_from = nil, -1e15 -- of the hour that was asked for last

    function figures_by_quarters()
        step = HOUR_MS / 4
    end

    function figures_of(at, who)
        local all = newest
        if at < newest_from or at >= newest_from + step then
            newest_from = floor(at / step) * step
            all = figures[newest_from / HOUR_MS] or {}
            figures[newest_from / HOUR_MS], newest = all, all
        end
        local f = all[who]
        if not f then
            f = {['in'] = nil, pass = nil, f = nil, n = nil} -- room for what there mostly is
            all[who] = f
        end
        return f
    end

    function figures_round(at, who, first, ms, biz)
        if at < round_from or at >= round_from + step then
            round_from = floor(at / step) * step
            round_hour = round_from / HOUR_MS
        end
        rounds[n_rounds + 1], rounds[n_rounds + 2], rounds[n_rounds + 3], rounds[n_rounds + 4] = round_hour, who, 2 * ms + first, biz
        n_rounds = n_rounds + 4
    end

    function add_count(m, what, by)
        m[what] = (m[what] or 0) + by
    end

    function add_to_list(m, kind, ms, by)
        local list = m[kind]
        if not list then
            list = {}
            m[kind] = list
        end
        list[#list + 1] = by > 0 and ms or -1 - ms
    end

    function stat_list(at, scope, names, what, by)
        local m = figures_of(at, scope)
        for name in string.gmatch(names, '[^,]+') do
            m[name] = m[name] or {}
            add_count(m[name], what, by)
        end
    end

    -- The same by agent; mark `@` or `?`.
    function stat_hits(at, who, names, what, mark, by)
        local m = figures_of(at, who)
        for name in string.gmatch(names, '[^,]+') do
            add_count(m, what .. mark .. name, by)
        end
    end

    -- messages: an entry that the gateway made, or nothing.
    function figures_log(messages)
        local e, n = {'RPUSH', K.figlog}, 2
        if messages then
            n = n + 1
            e[n] = messages
        end
        if n_rounds > 1 then
            n = n + 1
            e[n] = pack(rounds)
            rounds, n_rounds = {LOG_ROUNDS}, 1
        end
        if next(figures) then
            n = n + 1
            e[n] = pack(figures)
            figures, newest_from = {}, -1e15
        end
        if n > 2 then
            call(unpack(e, 1, n))
        end
    end

    -- The log into the hashes. Nothing is written before all is computed. (Functions inside of functions cost nothing until
    -- they are needed; all others are made anew at every call of a script.)
    function figures_fold()
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
                local bucket = tostring(hist_index(ms))
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

        local function merged_of(hour, who)
            local all = merged[hour]
            if not all then
                all = {}
                merged[hour] = all
            end
            local m = all[who]
            if not m then
                m = {}
                all[who] = m
            end
            return m
        end

        local function merge_messages(e)
            for i = 2, #e, 4 do
                local m, received, passed = merged_of(e[i], e[i + 1]), e[i + 2], e[i + 3]
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
                local m, v, biz = merged_of(e[i], e[i + 1]), e[i + 2], e[i + 3]
                local is_first = v % 2 == 1
                add_to_list(m, is_first and 'f' or 'n', floor(v / 2), 1)
                if biz >= 0 then
                    add_to_list(m, is_first and 'F' or 'N', biz, 1)
                end
            end
        end

        local function merge_map(e)
            for hour, all in pairs(e) do
                hour = tonumber(hour)
                merged[hour] = merged[hour] or {}
                for who, m in pairs(all) do
                    local to = merged[hour][who]
                    if not to then
                        merged[hour][who] = m
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
            return
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
    end
end
