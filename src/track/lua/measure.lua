-- How the deployment measures its replies: text "NAME UNIT STOPPER BY FROM_MS TO_MS HORIZON_MS WITHIN_MS" of info.tracking
-- (conf/measure.h; UNIT may be session/GAP_MS), zone as in zone.lua. What is measured is booked beside the plain rounds: replies as kind `m` (as `f`),
-- units that nobody answered before the horizon as the count `unanswered`.
--
-- A unit begins with a customer message. The first one of an open round is known by `since`; later ones, where the unit
-- asks for them, stand behind the three names of `og` as pairs: ms since the first, ms of business time since the first.
-- -1, 0: the first one begins no unit (not of a day's, or of a session's of another length). With unit customer_day `g` has a fourth value: the last customer message.
local UNITS_OF_ROUND = 50 -- further messages of a round are not measured

local function measure_make(zone_text, text)
    local unit, by, from, to, horizon = string.match(text, '^%S+ (%S+) %S+ (%S+) (%-?%d+) (%-?%d+) (%-?%d+) %d+$')
    from, to, horizon = tonumber(from), tonumber(to), tonumber(horizon)
    local gap = tonumber(string.match(unit, '^session/(%d+)$')) -- so much silence ends a session; else that of rounds.lua
    local zone, m = zone_make(zone_text), {}

    -- ---- what a conversation notes (rounds.lua) ----

    local function begin_another(st, r)
        if st.n <= UNITS_OF_ROUND then
            local has_business = r[10] ~= 0 and r[10] == st.sc
            st.og = st.og .. pack(r[1] - st.since, has_business and math.max(r[9] - st.so, 0) or 0)
        end
    end

    if gap then
        function m.note_open(st, r)
            if st.at > 0 and r[1] - st.at <= gap then
                st.og = st.og .. pack(-1, 0)
            end
        end
    elseif unit == 'message' then
        m.note_more = begin_another
    elseif unit == 'customer_day' then
        function m.note_open(st, r)
            local was = st.g ~= '' and select(4, unpack_mp(st.g))
            if was and zone.day(was) >= zone.day(r[1]) then
                st.og = st.og .. pack(-1, 0)
            end
        end
        function m.note_more(st, r)
            if zone.day(st.at) < zone.day(r[1]) then
                begin_another(st, r)
            end
        end
        function m.note_reply(st, r)
            local was = st.since > 0 and st.at or st.g ~= '' and select(4, unpack_mp(st.g))
            return was and r[4] .. pack(was) or r[4]
        end
    end

    -- ---- what a unit comes to ----

    local function is_open(at)
        local t = (at + zone.offset(at)) % DAY_MS
        return t >= from and t < to
    end

    local function open_ms(at)
        local t = at + zone.offset(at)
        local day = floor(t / DAY_MS)
        return day * (to - from) + math.min(math.max(t - day * DAY_MS - from, 0), to - from)
    end

    -- Of a unit from `s` to `e`, with `biz` ms of business time between (-1: unknown): ms, or nil: not of the window.
    local function value(s, e, biz)
        if by ~= 'clip' then
            return (is_open(s) or by == 'touch' and is_open(e)) and e - s or nil
        end
        local ms = from < 0 and biz or open_ms(e) - open_ms(s)
        if ms > 0 or ms == 0 and (e == s or from >= 0 and is_open(s)) then
            return ms
        end
    end

    -- When a unit counts as unanswered, or nil: never.
    local function expiry(s)
        if horizon ~= 0 then
            return horizon < 0 and zone.midnight(zone.day(s) + 1) or s + horizon
        end
    end

    -- The units of a round: {begin, business time since the round's begin}.
    local function units_of(since, is_first, og)
        if unit == 'round' or unit == 'session' then
            return (unit == 'round' or is_first) and {{since, 0}} or {}
        end
        local more = {select(4, unpack_mp(og))}
        local list = {more[1] ~= -1 and {since, 0} or nil}
        for i = 1, #more - 1, 2 do
            if more[i] >= 0 then
                list[#list + 1] = {since + more[i], more[i + 1]}
            end
        end
        return list
    end

    -- Who answers for a unit without a reply: who replied last, else who saw its message.
    local function answerable(og, g)
        local agent, team, shop = unpack_mp(g ~= '' and g or og)
        return pack(agent, team, shop)
    end

    local function book_lost(s, ends, og, g, add)
        add_count(figures_of(ends, answerable(og, g)), 'unanswered', add)
    end

    -- A closed round (outcome of rounds.lua). Returns what its units came to, for who looks behind the figures: ms, or
    -- `unanswered`, or `-` (not of the window), with commas.
    function m.book(o, add)
        local at, who, biz, og, g, told = o[3], o[4], o[7], o[8], o[9], {}
        for _, u in ipairs(units_of(o[2], o[5] == 1, og)) do
            local ms, ends = value(u[1], at, biz >= 0 and math.max(biz - u[2], 0) or -1), expiry(u[1])
            if not ms then
                told[#told + 1] = '-'
            elseif ends and at >= ends then
                book_lost(u[1], ends, og, g, add)
                told[#told + 1] = 'unanswered'
            else
                add_to_list(figures_of(at, who), 'm', ms, add)
                told[#told + 1] = int(ms)
            end
        end
        return concat(told, ',')
    end

    -- Those of an open round that have passed the horizon at `now`. By a shop's calendar it is not known until there is
    -- a reply whether any open time passed.
    local function lost(since, is_first, og, now)
        local list = {}
        for _, u in ipairs(from >= 0 and units_of(since, is_first, og) or {}) do
            local ends = expiry(u[1])
            if ends and now >= ends and (is_open(u[1]) or by == 'clip' and open_ms(ends) > open_ms(u[1])) then
                list[#list + 1] = {u[1], ends}
            end
        end
        return list
    end

    -- How many of a conversation's (conv_table) units nobody answered in time, as it stands.
    function m.count_lost(t, now)
        return t.since > 0 and #lost(t.since, not t.rep, t.og_all, now) or 0
    end

    -- A conversation is forgotten while its customer waits.
    function m.book_forgotten(t, now)
        for _, u in ipairs(lost(t.since, not t.rep, t.og_all, now)) do
            book_lost(u[1], u[2], t.og_all, t.g_all, 1)
        end
    end

    return m
end

return measure_make
