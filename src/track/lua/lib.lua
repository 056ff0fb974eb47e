-- Common to all scripts. KEYS are those of schema.h, in that order. Nothing but entries of the stream is written before a
-- script has read and computed everything, so an error in the middle leaves no half of an event behind.
local K = {}
for i, name in ipairs({'applied', 'rings', 'info', 'stream', 'conv', 'conv_at', 'waiting', 'due', 'cust', 'cust_at',
    'case', 'case_open', 'case_done', 'remind', 'remind_at', 'agents', 'rounds'}) do
    K[name] = KEYS[i]
end
local HOURS, DAYS, FIRST_HOURS, FIRST_DAYS = 8, 4, 18, 26
for i, name in ipairs({'held', 'held_at', 'held_done', 'held_tell', 'said', 'said_at', 'said_new', 'seals',
    'hook', 'hook_at', 'hook_urgent', 'win', 'figlog'}) do
    K[name] = KEYS[FIRST_DAYS + DAYS - 1 + i]
end

local SCHEMA = 4
local STREAM_MAX = 100000
local HOUR_MS, DAY_MS = 3600000, 86400000
local SPAN_MS = 28 * DAY_MS -- what one `days` hash holds
local SHARD = string.match(KEYS[1], '{(.-)}')

local call, pack, unpack_mp = redis.call, cmsgpack.pack, cmsgpack.unpack
local spack, sunpack, concat = struct.pack, struct.unpack, table.concat
local floor, byte, sub, find = math.floor, string.byte, string.sub, string.find

local function int(v)
    return string.format('%d', v)
end

local function redis_now()
    local t = call('TIME')
    return tonumber(t[1]) * 1000 + floor(tonumber(t[2]) / 1000)
end

local function load_packed(key, field)
    local v = call('HGET', key, field)
    return v and unpack_mp(v)
end

-- A conversation as readers see it: {cu customer, t = {at last event, since, og ot op and so n of the open round, last
-- and news of the last reply, rep, g t h last replier, p open commitments {made, due, key, agent, team, shop, rule}}}.
-- Its inside is described in rounds.lua.
local CONV_HEAD, CONV_SLOTS = 3, 104
local HEAD = '>BI6I4I6I6I6I4I6I6BI6I4Bc0Hc0Hc0Hc0'
local HEAD_2 = '>BI6I4I6I6I6I4I6I6BI6I4Hc0Hc0Hc0Hc0Hc0Hc0Hc0' -- of schema version 2
-- Short heads, which most conversations have: nobody waits after a reply; somebody waits; … and the shop has a calendar.
local CONV_QUIET, CONV_WAITING, CONV_WAITING_CAL = 4, 5, 6
local SHORT, SHORT_WAITING, SHORT_CAL, SHORT_NAMES = '>BI6I4I6', '>I6I4I6', '>I6I4', '>Hc0Bc0'

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

-- The bucket numbers of base/hist.c.
local function hist_index(v)
    if v > 1099511627775 then
        v = 1099511627775
    end
    if v < 64 then
        return v
    end
    local _, e = math.frexp(v)
    local shift = e - 7
    return (shift + 1) * 64 + floor(v / 2 ^ shift) - 64
end

-- Records of a window are arrays {at, order, key, agent or data, …}, sorted by time.
local function before(a, b)
    if a[1] ~= b[1] then
        return a[1] < b[1]
    end
    if a[2] ~= b[2] then
        return a[2] < b[2]
    end
    return a[3] < b[3]
end

local function insert_sorted(list, r)
    local i = #list
    while i > 0 and before(r, list[i]) do
        list[i + 1] = list[i]
        i = i - 1
    end
    list[i + 1] = r
    return i + 1
end

local function find_key(list, key)
    for i = #list, 1, -1 do
        if list[i][3] == key then
            return i
        end
    end
end

local function contains(list, v)
    for i = #list, 1, -1 do
        if list[i] == v then
            return true
        end
    end
    return false
end

local function push_bounded(list, v, max)
    list[#list + 1] = v
    if #list > max then
        table.remove(list, 1)
    end
end
