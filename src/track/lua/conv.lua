-- A conversation as readers see it: {cu customer, t = {at last event, since, og ot op and so n of the open round, last
-- and news of the last reply, rep, g t h last replier, p open commitments {made, due, key, agent, team, shop, rule}}}.
-- Its inside is described in conv_form.lua.
-- Packed commitments, refusals without a message, extra keys: of most conversations there is nothing.
local function rare_unpack(text)
    if text ~= '' then
        return sunpack('>Hc0Hc0Hc0', text)
    end
    return '', '', ''
end

local function short_values(v)
    local form, top, total, news, tail = sunpack(SHORT, v)
    local since, n, rep, last, so, sc, who, customer = 0, 0, 1, top, 0, 0, nil, nil
    if form >= CONV_WAITING then
        since, n, last, tail = sunpack(SHORT_WAITING, v, tail)
        rep = n % 2
        n = (n - rep) / 2
        if form == CONV_WAITING_CAL then
            so, sc, tail = sunpack(SHORT_CAL, v, tail)
        end
    end
    who, customer, tail = sunpack(SHORT_NAMES, v, tail)
    return top, total, 0, top, since, n, last, news, rep, so, sc, customer, since > 0 and who or '', last > 0 and who or '', '', tail
end

-- A head of this schema version: top, total, expires (0: not told), at, since, n, last, news, rep, so, sc, customer, og, g,
-- rare, and where the fingerprints begin.
local function head_values(v)
    local form = byte(v)
    if form == CONV_HEAD then
        return select(2, sunpack(HEAD, v))
    elseif form >= CONV_QUIET and form <= CONV_WAITING_CAL then
        return short_values(v)
    end
    error('a conversation of version ' .. form)
end

local function conv_table(v)
    local at, since, n, last, news, rep, cu, og, g, p, rare, _
    if byte(v) == 2 then
        _, _, _, _, at, since, n, last, news, rep, _, _, cu, og, g, p = sunpack(HEAD_2, v)
    else
        _, _, _, at, since, n, last, news, rep, _, _, cu, og, g, rare = head_values(v)
        p = rare_unpack(rare)
    end
    local t = {at = at, since = since, n = n, last = last, news = news, rep = rep == 1, g = '', t = '', h = '', og = '',
        ot = '', op = '', p = {}, og_all = '', g_all = ''}
    if og ~= '' then
        t.og, t.ot, t.op = unpack_mp(og)
        t.og_all = og
    end
    t.g_all = g
    if g ~= '' then
        t.g, t.t, t.h = unpack_mp(g)
    end
    for _, c in ipairs(p ~= '' and unpack_mp(p) or t.p) do
        local agent, team, shop = unpack_mp(c[4])
        t.p[#t.p + 1] = {c[1], c[2], c[3], agent, team, shop, c[5]}
    end
    return {cu = cu, t = t}
end

local function conv_load(id)
    local v = call('HGET', K.conv, id)
    return v and conv_table(v)
end
