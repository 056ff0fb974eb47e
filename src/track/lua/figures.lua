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
local FOLD_EVENTS, FOLD_MS = 8192, 60000

local LOG_MESSAGES, LOG_ROUNDS = 1, 2

local figures_of, figures_round, figures_by_quarters, add_count, add_to_list, figures_log
local figures_fold -- into the hashes: figures_fold.lua
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
end
