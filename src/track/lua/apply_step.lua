-- The next record of a conversation with a short head, from text to text, at a third of what a table costs.

-- When a conversation may be forgotten is told once an hour of its own: the sweep looks closer (keep_until).
local function note_time(id, top, was)
    if top - top % CONV_SLACK_MS ~= was - was % CONV_SLACK_MS then
        ats[n_ats + 1], ats[n_ats + 2] = int(top + CONV_IDLE_MS + CONV_SLACK_MS), id
        n_ats = n_ats + 2
    end
end

-- A closed round into `closed`, if nothing can take it back in this call. As a MessagePack list of ten, where it is measured of
-- eleven values; `who` is three of them. In one piece, which costs half of what pieces do, and a mark together with the
-- number that follows it.
local function round_pack(customer, id, start, at, who, first, n, biz, units)
    local text = spack('>BI3c0I3c0I3I6I3I6c0HI4Bi8', units and 155 or 154, 218 * 65536 + #id, id, 218 * 65536 + #customer, customer,
        207 * 65536, start, 207 * 65536, at, who, first * 256 + 206, n, 211, biz)
    return units and text .. pack(units) or text
end

local function round_close(customer, id, start, at, who, first, n, biz, og, g)
    figures_round(at, who, first, at - start, biz)
    closed[n_closed + 1], closed[n_closed + 2] = format('%d', at), round_pack(customer, id, start, at, who, first, n, biz,
        measured and measured.book({'round', start, at, who, first, n, biz, og, g}, 1))
    n_closed = n_closed + 2
end

local function wait_begin(id, since)
    local at = format('%d', since)
    waits[n_waits + 1], waits[n_waits + 2] = at, id
    n_waits = n_waits + 2
    looks[n_waits], looks[n_waits + 1] = at, 'w\n' .. id
end

-- What `step` of rounds.lua does in those states. False, and nothing done, where it is not so simple: another agent, a
-- time that is not the newest, a message that may have been seen. The record has no due time.
local function step_text(id, text, at, is_in, is_ack, who, ob, oc, fp, record)
    local form, top, total, news, from = sunpack(SHORT, text)
    if at <= top or form < CONV_QUIET or form > CONV_WAITING_CAL then
        return false
    end
    local since, n, rep, last_reply, so, sc = 0, 0, 1, top, 0, 0
    if form >= CONV_WAITING then
        since, n, last_reply, from = sunpack(SHORT_WAITING, text, from)
        rep = n % 2
        n = (n - rep) / 2
        if form == CONV_WAITING_CAL then
            so, sc, from = sunpack(SHORT_CAL, text, from)
        end
    end
    local names, behind = from + 2, from + 2 + #who
    if find(text, who, names, true) ~= names or find(text, fp, behind, true) then
        return false
    elseif #text - behind >= FPS_BYTES + FPS_SLACK and #text - behind - byte(text, behind) >= FPS_BYTES + FPS_SLACK - 1 then
        return false -- too many fingerprints
    end
    if total % CHUNK == 0 then
        local og, g = since > 0 and who or '', last_reply > 0 and who or ''
        record = spack(SNAP, top, top, since, n, last_reply, news, rep, so, sc, #og, og, #g, g, 0, '') .. record
    end
    wins[n_wins + 1], wins[n_wins + 2] = id .. SLOT_NAMES[total % SLOTS], record
    n_wins = n_wins + 2
    local new
    if is_in then
        if since == 0 then
            wait_begin(id, at)
            since, n, so, sc = at, 0, ob, oc
            rep = at - top > SESSION_MS and 0 or 1
        end
        local n_and_rep = 2 * (n + 1) + rep
        if so == 0 and sc == 0 then
            new = spack(WAITING, CONV_WAITING, at, total + 1, news, since, n_and_rep, last_reply)
        else
            new = spack(WAITING_CAL, CONV_WAITING_CAL, at, total + 1, news, since, n_and_rep, last_reply, so, sc)
        end
    else
        new = spack(SHORT, CONV_QUIET, at, total + 1, is_ack and news or at)
        if since > 0 then
            round_close(sunpack('>Bc0', text, behind), id, since, at, who, 1 - rep, n, business(since, so, sc, at, ob, oc),
                who, last_reply > 0 and who or '')
            n_ends = n_ends + 1
            ends[n_ends] = id
        end
    end
    heads[n_heads + 1], heads[n_heads + 2] = id, new .. sub(text, from) .. fp
    n_heads = n_heads + 2
    heads_read[id] = n_heads
    if at - top > at % CONV_SLACK_MS then
        note_time(id, at, top)
    end
    return true
end
