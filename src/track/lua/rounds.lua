-- Conversations as tables: what needs no more than the head's text is done without (apply_step.lua).
local STATE_FIELDS = {'at', 'since', 'og', 'n', 'last', 'news', 'rep', 'g', 'p', 'so', 'sc'}
local late -- rounds_late.lua

-- The hash of event.c (event_key_hash).
local function fingerprint(key)
    local h = 7
    for i = 1, #key do
        h = (h * 31 + byte(key, i)) % 65536
    end
    return string.char(floor(h / 256), h % 256)
end

local function state_copy(from, to)
    for _, f in ipairs(STATE_FIELDS) do
        to[f] = from[f]
    end
    return to
end

local function snap_pack(top, s)
    return spack(SNAP, top, s.at, s.since, s.n, s.last, s.news, s.rep, s.so, s.sc, #s.og, s.og, #s.g, s.g, #s.p, s.p)
end

-- One constructor with every field: a table that grows by fields costs several times as much. Besides there may be win,
-- records to be written by slot, fresh, which belongs to the end of fps, and is_changed, closed, was_p of script apply.
local function head_new(top, total, at, since, n, last, news, rep, so, sc, cu, og, g, p, ref, extra, fps, is_named)
    return {top = top, total = total, at = at, since = since, n = n, last = last, news = news, rep = rep, so = so,
        sc = sc, cu = cu, og = og, g = g, p = p, ref = ref, extra = extra, fps = fps, was_top = top, was_since = since, was_p = p,
        is_named = is_named}
end

local function conv_new(customer)
    return head_new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, customer, '', '', '', '', '', '', true)
end

local function rare_pack(h)
    return spack('>Hc0Hc0Hc0', #h.p, h.p, #h.ref, h.ref, #h.extra, h.extra)
end

-- Three names and no note of measure.lua behind them. is_named: what was read had no notes.
local function is_who(h, who)
    return who ~= '' and (h.is_named or select('#', unpack_mp(who)) == 3)
end

-- The beginning of a short head of somebody who waits: what stands before the names.
local function waiting_text(top, total, news, since, n_and_rep, last, so, sc)
    if so == 0 and sc == 0 then
        return spack(WAITING, CONV_WAITING, top, total, news, since, n_and_rep, last)
    end
    return spack(WAITING_CAL, CONV_WAITING_CAL, top, total, news, since, n_and_rep, last, so, sc)
end

local function short_pack(h, rare)
    if rare ~= '' or h.at ~= h.top or note_open or note_more or note_reply then
        return nil
    end
    local since, last, g = h.since, h.last, h.g
    if since == 0 then
        return last == h.top and h.rep == 1 and is_who(h, g) and
            spack(SHORT, CONV_QUIET, h.top, h.total, h.news) .. spack(SHORT_NAMES, #g, g, #h.cu, h.cu)
    end
    if g ~= (last > 0 and h.og or '') or not is_who(h, h.og) then
        return nil
    end
    return waiting_text(h.top, h.total, h.news, since, 2 * h.n + h.rep, last, h.so, h.sc) ..
        spack(SHORT_NAMES, #h.og, h.og, #h.cu, h.cu)
end

local function head_text(h, rare)
    local cu, og, g = h.cu, h.og, h.g
    return spack(HEAD, CONV_HEAD, h.top, h.total, 0, h.at, h.since, h.n, h.last, h.news, h.rep, h.so, h.sc, #cu, cu, #og, og,
        #g, g, #rare, rare)
end

local function head_pack(h)
    local rare = ''
    if h.p ~= '' or h.ref ~= '' or h.extra ~= '' then
        rare = rare_pack(h)
    end
    return (short_pack(h, rare) or head_text(h, rare)) .. h.fps .. (h.fresh or '')
end

local function head_unpack(text)
    local top, total, _, at, since, n, last, news, rep, so, sc, cu, og, g, rare, from = head_values(text)
    local p, ref, extra = '', '', ''
    if rare ~= '' then
        p, ref, extra = rare_unpack(rare)
    end
    -- head_new, without its 18 arguments
    return {top = top, total = total, at = at, since = since, n = n, last = last, news = news, rep = rep, so = so,
        sc = sc, cu = cu, og = og, g = g, p = p, ref = ref, extra = extra, fps = sub(text, from), was_top = top, was_since = since,
        was_p = p, is_named = byte(text) ~= CONV_HEAD}
end

local function rec_pack(r)
    local key, who, th, rule = r[3], r[4], r[7], r[8]
    return spack(RECORD, r[1], r[2] + 8 * r[5], r[6], r[9], r[10], #key, key, #who, who, #th, th, #rule, rule)
end

-- And where the next one begins.
local function record_read(text, from)
    local at, code, due, ob, oc, key, who, th, rule, next_at = sunpack(RECORD, text, from)
    return {at, code % 8, key, who, code >= 8 and 1 or 0, due, th, rule, ob, oc}, next_at
end

local function mid_of(r)
    return string.byte(r[3], 3) ~= 9 and string.sub(r[3], 3) or ''
end

local function settle_pending(st, r, out)
    local rest = {}
    for _, p in ipairs(unpack_mp(st.p)) do
        if p[1] >= r[1] then
            rest[#rest + 1] = p
        else
            local how = r[1] > p[2] and 'broken' or r[6] > 0 and 'extended' or 'kept'
            out[#out + 1] = {how, p[1], p[2], r[1], p[4], p[3]}
        end
    end
    st.p = #rest > 0 and pack(rest) or ''
end

local function promise(st, r)
    local list = st.p ~= '' and unpack_mp(st.p) or {}
    push_bounded(list, {r[1], r[6], r[3], r[4], r[8]}, PENDING)
    st.p = pack(list)
end

-- Takes one event; closed rounds go to `out` as {'round', start, end, who, first, messages, business ms} (where they
-- are measured with og and g as they were), ended
-- commitments as {'kept' | 'extended' | 'broken', made, due, end, who, key}.
local function step(st, r, out)
    local at, order = r[1], r[2]
    if order == IN then
        if st.since == 0 then
            if st.at > 0 and at - st.at > SESSION_MS then
                st.rep = 0
            end
            st.since, st.og, st.n, st.so, st.sc = at, r[4], 0, r[9], r[10]
            if note_open then
                note_open(st, r)
            end
        elseif note_more then
            note_more(st, r)
        end
        st.n = st.n + 1
    elseif order == OUT then
        local g = note_reply and note_reply(st, r) or r[4]
        if st.since > 0 then
            local o = {'round', st.since, at, r[4], 1 - st.rep, st.n, business(st.since, st.so, st.sc, at, r[9], r[10])}
            if measured then
                o[8], o[9] = st.og, st.g
            end
            out[#out + 1] = o
            st.since, st.og, st.n, st.so, st.sc = 0, '', 0, 0, 0
        end
        st.rep, st.last, st.g = 1, at, g
        if r[5] == 0 then
            if st.p ~= '' then
                settle_pending(st, r, out)
            end
            st.news = at
        end
        if r[6] > 0 then
            promise(st, r)
        end
    end
    st.at = at
end

local function write_record(h, number, top, state, text)
    if number % CHUNK == 0 then
        text = snap_pack(top, state) .. text
    end
    if h.win then
        h.win[number % SLOTS] = text
    else
        h.win = {[number % SLOTS] = text}
    end
end

local function remember(h, fp)
    local fresh = (h.fresh or '') .. fp
    if #h.fps + #fresh > FPS_BYTES + FPS_SLACK then -- not at every event
        h.fps, fresh = sub(h.fps .. fresh, -FPS_BYTES), ''
    end
    h.fresh = fresh
end

-- The newest record of all, seen for the first time.
local function append(h, r, fp, out)
    local number = h.total
    write_record(h, number, h.top, h, r[11] or rec_pack(r))
    step(h, r, out)
    h.top, h.total = r[1], number + 1
    remember(h, fp)
end

-- Its state stays, its records go: what is older than its newest record is too late from now on.
local function conv_forget_window(h)
    h.win, h.total, h.ref = nil, 0, ''
end

local function conv_from_2(text, id)
    return late().from_2(text, id)
end

local NOTHING, outcomes = {}, {} -- what the common case returns: read before the next call

local function has_print(fps, fp)
    local at = find(fps, fp, 1, true)
    while at and at % 2 == 0 do -- halves of two
        at = find(fps, fp, at + 1, true)
    end
    return at
end

-- Puts a record into the conversation. Result: 'new', 'dup' (nothing changed), 'moved' (the same message was seen
-- earlier elsewhere: `was` is the record it replaces), 'late' (too old for the window). Outcomes to book: plus, minus.
local function conv_put(h, id, r, fp)
    local seen = has_print(h.fps, fp) or h.fresh and has_print(h.fresh, fp) or h.extra ~= '' and find(h.extra, r[3], 1, true)
    local is_plain = r[2] == IN or r[2] == OUT and (h.ref == '' or not find(h.ref, mid_of(r), 1, true))
    if not seen and is_plain and r[1] > h.top then
        for i = #outcomes, 1, -1 do
            outcomes[i] = nil
        end
        append(h, r, fp, outcomes)
        return 'new', outcomes, NOTHING
    end
    local is_in_extra = h.extra ~= '' and find(h.extra, r[3], 1, true)
    if is_plain and r[1] > h.top and not is_in_extra and not late().may_hold(h, id, r[3]) then
        local out = {} -- another key of the same hash
        append(h, r, fp, out)
        return 'new', out, NOTHING
    end
    if r[11] then
        r = record_read(r[11], 1)
    end
    if is_plain then
        local c = late().window_tail(h, id)
        if c.is_tail and r[1] > c.f and (not seen or find_key(c.w, r[3])) and not late().has_refusal(c.w) then
            return late().put_into(h, c, r, fp, NOTHING)
        end
    end
    local c, extra = late().window_all(h, id), h.extra ~= '' and unpack_mp(h.extra) or {}
    if is_plain and r[1] > h.top and not find_key(c.w, r[3]) and not contains(extra, r[3]) then
        local out = {} -- another key of the same hash
        append(h, r, fp, out)
        return 'new', out, NOTHING
    end
    return late().put_into(h, c, r, fp, extra)
end
