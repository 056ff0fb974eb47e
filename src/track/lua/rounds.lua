-- A conversation as a pure function of its events in time order. Stored in two hashes, so that an event in order reads and
-- writes a few hundred bytes, whatever the conversation's length (Redis's Lua takes time for every byte of a text it makes):
--   conv  id: head, see HEAD; win  id\nSLOT: a record, number modulo SLOTS; those whose number divides by CHUNK have the state
--         before them in front, see SNAP and RECORD. All numbers big-endian, all texts behind their length.
--   HEAD:    3, top (time of the newest record), total (records), 0, STATE, customer, og, g, p and ref and extra in
--            one (rare_unpack), fps to the end
--   short:   4, 5 or 6, top, total, news; 5 and 6: since, twice n and rep, last; 6: so, sc; who, customer, fps to the end. `at`
--            is top, og is who (of 4: ''), g is who (where `last` is 0: ''), of 4 `last` is top; all that is missing is 0 or ''
--   STATE:   at last event, since (0: nobody waits), n messages, last and news: last reply and last one that is more than
--            an acknowledgement, rep 1: replied in this session, so sc business time of `since` and its calendar; og who saw
--            the first message, g last replier, p packed open commitments {made, due, key, who, rule} or ''
--   SNAP:    top and state before the first record that follows
--   RECORD:  at, 1 out | 2 refused | 3 in (+ 8: no more than an acknowledgement), due, business time and its calendar (0:
--            none), key, who, text hash, rule. At the same millisecond a customer's message stands behind an agent's: who
--            may have been answered still waits, so that nobody vanishes
--   ref:     message ids of refusals that found no message; extra: packed keys of messages that count although they are
--            older than the window; fps: two bytes of hash of every key in the window
--   who:     packed agent, team, shop
-- The window is what lies in the slots, from the oldest state on; that state is the base. A late event is put in its place
-- and the rounds behind it are computed anew, from the newest state that suffices; the caller books the difference.
-- In memory a record is an array {at, order, key, who, ack, due, text hash, rule, business time, calendar}; behind it may
-- stand the packed RECORD, and where that has no due time, text hash and rule may be missing.
local CHUNK, SLOTS, EXTRA = 8, CONV_SLOTS, 64
-- Written out: to print a number costs as much as three records to copy.
local SLOT_NAMES = {[0] =
    '\n0', '\n1', '\n2', '\n3', '\n4', '\n5', '\n6', '\n7', '\n8', '\n9', '\n10', '\n11', '\n12', '\n13', '\n14', '\n15',
    '\n16', '\n17', '\n18', '\n19', '\n20', '\n21', '\n22', '\n23', '\n24', '\n25', '\n26', '\n27', '\n28', '\n29', '\n30',
    '\n31', '\n32', '\n33', '\n34', '\n35', '\n36', '\n37', '\n38', '\n39', '\n40', '\n41', '\n42', '\n43', '\n44', '\n45',
    '\n46', '\n47', '\n48', '\n49', '\n50', '\n51', '\n52', '\n53', '\n54', '\n55', '\n56', '\n57', '\n58', '\n59', '\n60',
    '\n61', '\n62', '\n63', '\n64', '\n65', '\n66', '\n67', '\n68', '\n69', '\n70', '\n71', '\n72', '\n73', '\n74', '\n75',
    '\n76', '\n77', '\n78', '\n79', '\n80', '\n81', '\n82', '\n83', '\n84', '\n85', '\n86', '\n87', '\n88', '\n89', '\n90',
    '\n91', '\n92', '\n93', '\n94', '\n95', '\n96', '\n97', '\n98', '\n99', '\n100', '\n101', '\n102', '\n103'}
local FPS_BYTES, FPS_SLACK = 2 * SLOTS, 48
local SESSION_MS = 8 * 3600000 -- a customer who writes after so long a silence begins a new session (first reply)
local PENDING = 8
local OUT, REFUSED, IN = 1, 2, 3
local STATE_FIELDS = {'at', 'since', 'og', 'n', 'last', 'news', 'rep', 'g', 'p', 'so', 'sc'}

-- What measure.lua notes in conversations, if the deployment's definition needs it; set by who makes it.
local measured, note_open, note_more, note_reply

local fingerprint, conv_new, head_pack, head_unpack, head_step, record_read, conv_put, conv_from_2, conv_forget_window
do
    -- The hash of event.c (event_key_hash).
    function fingerprint(key)
        local h = 7
        for i = 1, #key do
            h = (h * 31 + byte(key, i)) % 65536
        end
        return string.char(floor(h / 256), h % 256)
    end

    local function state_new()
        return {at = 0, since = 0, og = '', n = 0, last = 0, news = 0, rep = 0, g = '', p = '', so = 0, sc = 0}
    end

    local function state_copy(from, to)
        for _, f in ipairs(STATE_FIELDS) do
            to[f] = from[f]
        end
        return to
    end

    -- struct.pack and concatenation: cmsgpack.pack of many values takes several times as long.
    local SNAP, RECORD = '>I6I6I6I4I6I6BI6I4Hc0Hc0Hc0', '>I6BI6I6I4Bc0Hc0Bc0Bc0'

    local function snap_text(top, at, since, n, last, news, rep, so, sc, og, g, p)
        return spack(SNAP, top, at, since, n, last, news, rep, so, sc, #og, og, #g, g, #p, p)
    end

    local function snap_pack(top, s)
        return snap_text(top, s.at, s.since, s.n, s.last, s.news, s.rep, s.so, s.sc, s.og, s.g, s.p)
    end

    -- One constructor with every field: a table that grows by fields costs several times as much. Besides there may be win,
    -- records to be written by slot, fresh, which belongs to the end of fps, and is_changed, closed, was_p of script apply.
    local function head_new(top, total, at, since, n, last, news, rep, so, sc, cu, og, g, p, ref, extra, fps, is_named)
        return {top = top, total = total, at = at, since = since, n = n, last = last, news = news, rep = rep, so = so,
            sc = sc, cu = cu, og = og, g = g, p = p, ref = ref, extra = extra, fps = fps, was_top = top, was_since = since, was_p = p,
            is_named = is_named}
    end

    function conv_new(customer)
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
            return spack('>BI6I4I6I6I4I6', CONV_WAITING, top, total, news, since, n_and_rep, last)
        end
        return spack('>BI6I4I6I6I4I6I6I4', CONV_WAITING_CAL, top, total, news, since, n_and_rep, last, so, sc)
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

    function head_pack(h)
        local rare = ''
        if h.p ~= '' or h.ref ~= '' or h.extra ~= '' then
            rare = rare_pack(h)
        end
        return (short_pack(h, rare) or head_text(h, rare)) .. h.fps .. (h.fresh or '')
    end

    function head_unpack(text)
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
    function record_read(text, from)
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

    -- Time in business hours, or -1: not known, or by another calendar than where the customer wrote.
    local function business(since, so, sc, at, ob, oc)
        if oc == 0 or oc ~= sc then
            return -1
        end
        return math.min(math.max(ob - so, 0), at - since)
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

    -- The next record of a conversation with a short head, from text to text: what `step` does in those states, at a third of
    -- what a table costs. Nothing where it is not so simple: another agent, a time that is not the newest, a message that may
    -- have been seen. Else the new head, what to store as which number, the time of the record before it, since when somebody
    -- waited; and if that ended, whether it was the session's first round, its messages and business time, the customer, who
    -- replied before.
    function head_step(text, at, is_in, is_ack, who, ob, oc, fp, record)
        local form, top, total, news, from = sunpack(SHORT, text)
        if at <= top or form < CONV_QUIET or form > CONV_WAITING_CAL then
            return nil
        end
        local since, n, rep, last, so, sc = 0, 0, 1, top, 0, 0
        if form >= CONV_WAITING then
            since, n, last, from = sunpack(SHORT_WAITING, text, from)
            rep = n % 2
            n = (n - rep) / 2
            if form == CONV_WAITING_CAL then
                so, sc, from = sunpack(SHORT_CAL, text, from)
            end
        end
        local names, behind = from + 2, from + 2 + #who
        if find(text, who, names, true) ~= names or find(text, fp, behind, true) then
            return nil
        elseif #text - behind >= FPS_BYTES + FPS_SLACK and #text - behind - byte(text, behind) >= FPS_BYTES + FPS_SLACK - 1 then
            return nil -- too many fingerprints
        end
        if total % CHUNK == 0 then
            record = snap_text(top, top, since, n, last, news, rep, so, sc, since > 0 and who or '', last > 0 and who or '', '') .. record
        end
        if is_in then
            local begin = since
            if since == 0 then
                begin, n, so, sc = at, 0, ob, oc
                rep = at - top > SESSION_MS and 0 or 1
            end
            return waiting_text(at, total + 1, news, begin, 2 * (n + 1) + rep, last, so, sc) .. sub(text, from) .. fp, record, total, top, since
        end
        local new = spack(SHORT, CONV_QUIET, at, total + 1, is_ack and news or at) .. sub(text, from) .. fp
        if since == 0 then
            return new, record, total, top, 0
        end
        return new, record, total, top, since, 1 - rep, n, business(since, so, sc, at, ob, oc), (sunpack('>Bc0', text, behind)),
            last > 0 and who or ''
    end

    -- The newest record of all, seen for the first time.
    local function append(h, r, fp, out)
        local number = h.total
        write_record(h, number, h.top, h, r[11] or rec_pack(r))
        step(h, r, out)
        h.top, h.total = r[1], number + 1
        remember(h, fp)
    end

    -- What only late events, copies and refusals need: window_tail, window_all, put_into, has_refusal, from_2.
    local function make_slow()
        -- Behind it: from where the records follow.
        local function snap_unpack(text)
            local s, top, next_at = {}, nil, nil
            top, s.at, s.since, s.n, s.last, s.news, s.rep, s.so, s.sc, s.og, s.g, s.p, next_at = sunpack(SNAP, text)
            return top, s, next_at
        end

        local function records_into(list, text, from)
            while from <= #text do
                list[#list + 1], from = record_read(text, from)
            end
            return list
        end

        local function agent_of(who)
            return (unpack_mp(who))
        end

        -- Which records of the window were refused by the backend after all: by message id, else by text, else the agent's last.
        -- And the message ids of refusals that found none.
        local function refusals(w)
            local refused, open = {}, ''
            for i, r in ipairs(w) do
                if r[2] == REFUSED then
                    local mid, hit = mid_of(r), nil
                    for j = #w, 1, -1 do
                        local o = w[j]
                        if o[2] == OUT and not refused[j] then
                            if mid ~= '' then
                                hit = mid_of(o) == mid and j
                            elseif j < i and o[4] == r[4] then
                                hit = (r[7] == '' or o[7] == r[7]) and j
                            end
                            if hit then
                                break
                            end
                        end
                    end
                    refused[i] = true
                    if hit then
                        refused[hit] = true
                    elseif mid ~= '' then
                        open = open .. mid .. '\n'
                    end
                end
            end
            return refused, open
        end

        local function run(c)
            local st, out, refused = state_copy(c.b, {}), {}, refusals(c.w)
            for i, r in ipairs(c.w) do
                if not refused[i] then
                    step(st, r, out)
                end
            end
            return out
        end

        -- Writes the window anew, records from `number` on; returns what the rounds come to.
        local function rebuild(h, c, number)
            local out, refused, open = {}, refusals(c.w)
            h.ref = c.is_tail and h.ref or open
            state_copy(c.b, h)
            h.top = c.f
            for i, r in ipairs(c.w) do
                write_record(h, number, h.top, h, rec_pack(r))
                if not refused[i] then
                    step(h, r, out)
                end
                h.top, number = r[1], number + 1
            end
            h.total = number
            return out
        end

        -- The texts of records [first, h.total): false where there is none.
        local function texts_from(h, id, first)
            local fields, texts = {}, {}
            for number = first, h.total - 1 do
                fields[#fields + 1] = id .. '\n' .. number % SLOTS
            end
            local held = #fields > 0 and call('HMGET', K.win, unpack(fields)) or {}
            for number = first, h.total - 1 do
                texts[#texts + 1] = h.win and h.win[number % SLOTS] or held[number - first + 1]
            end
            return texts
        end

        -- {w records, b state before them, f time of the record before them, n number of the first one}: of the records from
        -- `first` on what can be read, and begins with a state (what was erased cannot).
        local function window(h, id, first)
            local c = {w = {}, b = state_copy(h, {}), f = h.top, n = first}
            for i, text in ipairs(texts_from(h, id, first)) do
                local number, from = first + i - 1, 1
                if not text then
                    c.w, c.is_open = {}, false
                elseif number % CHUNK == 0 then
                    local f, b
                    f, b, from = snap_unpack(text)
                    if not c.is_open then
                        c.w, c.b, c.f, c.n, c.is_open = {}, b, f, number, true
                    end
                end
                if text and c.is_open then
                    c.w[#c.w + 1] = record_read(text, from)
                end
            end
            if #c.w == 0 then
                c.b, c.f = state_copy(h, {}), h.top
            end
            return c
        end

        -- The records since the newest state.
        local function window_tail(h, id)
            local first = floor(math.max(h.total - 1, 0) / CHUNK) * CHUNK
            local c = window(h, id, first)
            c.is_tail = c.n == first and #c.w == h.total - first
            return c
        end

        -- All that is kept; numbers begin anew.
        local function window_all(h, id)
            local c = window(h, id, math.ceil(math.max(h.total - SLOTS, 0) / CHUNK) * CHUNK)
            c.n = 0
            return c
        end

        -- What `now` has more than `old` and the reverse.
        local function difference(old, now)
            local count = {}
            local function add(list, by)
                for _, o in ipairs(list) do
                    local id = table.concat(o, '\n')
                    local e = count[id] or {o, 0}
                    e[2] = e[2] + by
                    count[id] = e
                end
            end
            add(now, 1)
            add(old, -1)
            local plus, minus = {}, {}
            for _, e in pairs(count) do
                if e[2] > 0 then
                    plus[#plus + 1] = e[1]
                elseif e[2] < 0 then
                    minus[#minus + 1] = e[1]
                end
            end
            return plus, minus
        end

        -- A customer message older than the window, but later than the last reply: the wait began with it.
        local function extend_base(b, r)
            if r[2] ~= IN or r[1] <= b.last or b.since == 0 or r[1] >= b.since then
                return false
            end
            b.since, b.og, b.so, b.sc = r[1], r[4], r[9], r[10]
            return true
        end

        local function has_refusal(w)
            for _, r in ipairs(w) do
                if r[2] == REFUSED then
                    return true
                end
            end
            return false
        end

        local function is_first_sight(was, r)
            return was[1] > r[1] or was[1] == r[1] and agent_of(was[4]) > agent_of(r[4])
        end

        local function put_into(h, c, r, fp, extra)
            local at = find_key(c.w, r[3])
            local was = at and c.w[at]
            if was and not is_first_sight(was, r) or not was and contains(extra, r[3]) then
                return 'dup', {}, {}
            end
            local old = run(c)
            if r[1] <= c.f then
                if was or not extend_base(c.b, r) then
                    return was and 'dup' or 'late', {}, {}
                end
                push_bounded(extra, r[3], EXTRA)
                h.extra = pack(extra)
            else
                if was then
                    table.remove(c.w, at)
                end
                insert_sorted(c.w, r)
            end
            if not was then
                remember(h, fp)
            end
            local plus, minus = difference(old, rebuild(h, c, c.n))
            return was and 'moved' or 'new', plus, minus, was
        end

        -- A conversation of schema version 2: chunks of four records, the newest ones (`body`) in the head; fps of three bytes.
        local function from_2(text, id)
            local _, top, total, _, at, since, n, last, news, rep, so, sc, cu, og, g, p, ref, extra, fps, from =
                sunpack(HEAD_2, text)
            local h = head_new(top, total, at, since, n, last, news, rep, so, sc, cu, og, g, p, ref, extra, '')
            local c, full, fields, newest = {w = {}}, math.ceil(total / 4) - 1, {}, {}
            for i = math.max(full - 24, 0), full - 1 do
                fields[#fields + 1] = id .. '\n' .. i % 24
            end
            local chunks = #fields > 0 and call('HMGET', K.win, unpack(fields)) or {}
            chunks[#chunks + 1] = sub(text, from)
            for _, chunk in ipairs(chunks) do
                if chunk then
                    local f, b, next_at = snap_unpack(chunk)
                    if not c.b then
                        c.f, c.b = f, b
                    end
                    records_into(c.w, chunk, next_at)
                else
                    c.w, c.b = {}, nil
                end
            end
            for i = 2, #fps, 3 do
                newest[#newest + 1] = sub(fps, i, i + 1)
            end
            h.fps = sub(concat(newest), -FPS_BYTES)
            rebuild(h, c, 0)
            return h
        end

        return {window_tail = window_tail, window_all = window_all, put_into = put_into, has_refusal = has_refusal,
            from_2 = from_2}
    end

    local slow_made
    local function slow()
        slow_made = slow_made or make_slow()
        return slow_made
    end

    -- Its state stays, its records go: what is older than its newest record is too late from now on.
    function conv_forget_window(h)
        h.win, h.total, h.ref = nil, 0, ''
    end

    function conv_from_2(text, id)
        return slow().from_2(text, id)
    end

    local NOTHING, outcomes = {}, {} -- what the common case returns: read before the next call

    -- Puts a record into the conversation. Result: 'new', 'dup' (nothing changed), 'moved' (the same message was seen
    -- earlier elsewhere: `was` is the record it replaces), 'late' (too old for the window). Outcomes to book: plus, minus.
    local function has_print(fps, fp)
        local at = find(fps, fp, 1, true)
        while at and at % 2 == 0 do -- halves of two
            at = find(fps, fp, at + 1, true)
        end
        return at
    end

    function conv_put(h, id, r, fp)
        local seen = has_print(h.fps, fp) or h.fresh and has_print(h.fresh, fp) or h.extra ~= '' and find(h.extra, r[3], 1, true)
        local is_plain = r[2] == IN or r[2] == OUT and (h.ref == '' or not find(h.ref, mid_of(r), 1, true))
        if not seen and is_plain and r[1] > h.top then
            for i = #outcomes, 1, -1 do
                outcomes[i] = nil
            end
            append(h, r, fp, outcomes)
            return 'new', outcomes, NOTHING
        end
        if r[11] then
            r = record_read(r[11], 1)
        end
        if is_plain then
            local c = slow().window_tail(h, id)
            if c.is_tail and r[1] > c.f and (not seen or find_key(c.w, r[3])) and not slow().has_refusal(c.w) then
                return slow().put_into(h, c, r, fp, NOTHING)
            end
        end
        local c, extra = slow().window_all(h, id), h.extra ~= '' and unpack_mp(h.extra) or {}
        if is_plain and r[1] > h.top and not find_key(c.w, r[3]) and not contains(extra, r[3]) then
            local out = {} -- another key of the same hash
            append(h, r, fp, out)
            return 'new', out, NOTHING
        end
        return slow().put_into(h, c, r, fp, extra)
    end

end
