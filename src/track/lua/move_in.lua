-- needs: names lib
-- Takes pieces of move_out.lua. KEYS: those of one shard, but beside the ones in use (cg:{shard}:new:…), and last a set of
-- what was added up already, since a scan may give a piece twice. ARGV: old number of shards, shard that they come from,
-- then the pieces. A case S-N of N0 shards gets the number N * N0 + S: no two of them the same one.
local SEEN = KEYS[#KEYS]
local shards, from = tonumber(ARGV[1]), ARGV[2]

local function highest(name, number)
    if number > tonumber(call('HGET', K.info, name) or '0') then
        call('HSET', K.info, name, int(number))
    end
end

local function renamed(id, counter)
    local shard, number = string.match(id or '', '^(%d+)%-(%d+)$')
    if not shard then
        return id
    end
    number = tonumber(number) * shards + tonumber(shard)
    highest(counter, number)
    return SHARD .. '-' .. int(number)
end

local function place(key, member, score)
    if score ~= '' then
        call('ZADD', key, score, member)
    end
end

local function remind(list, rename)
    for _, r in ipairs(list) do
        local item = rename and rename(r[1]) or r[1]
        place(K.remind_at, item, r[2])
        if r[3] ~= '' then
            call('HSET', K.remind, item, r[3])
        end
    end
end

local function is_new(what)
    return call('SADD', SEEN, from .. '\n' .. what) == 1
end

local function add_up(into, more)
    for k, v in pairs(more) do
        if type(v) == 'table' then
            into[k] = add_up(into[k] or {}, v)
        else
            into[k] = (into[k] or 0) + v
        end
    end
    return into
end

local take = {}

function take.conv(p)
    call('HSET', K.conv, p.id, p.v)
    for i, chunk in ipairs(p.win) do
        if chunk ~= '' then
            call('HSET', K.win, p.id .. '\n' .. i - 1, chunk)
        end
    end
    place(K.conv_at, p.id, p.at)
    place(K.waiting, p.id, p.wait)
    for _, d in ipairs(p.due) do
        call('ZADD', K.due, d[2], d[1])
    end
    remind(p.rem)
end

function take.cust(p)
    local rec = unpack_mp(p.v)
    if rec.b then
        rec.b.id = renamed(rec.b.id, 'case_seq')
    end
    for _, e in ipairs(rec.l) do
        e[4].id = renamed(e[4].id, 'case_seq')
    end
    call('HSET', K.cust, p.id, pack(rec))
    place(K.cust_at, p.id, p.at)
end

function take.case(p)
    local c, id = unpack_mp(p.v), renamed(p.id, 'case_seq')
    c.id = id
    call('HSET', K.case, id, pack(c))
    place(K.case_open, id, p.open)
    place(K.case_done, id, p.done)
    remind(p.rem, function(item)
        return string.sub(item, 1, 2) .. id
    end)
end

function take.held(p)
    local h, id = unpack_mp(p.v), renamed(p.id, 'held_seq')
    h.id = id
    call('HSET', K.held, id, pack(h))
    place(K.held_done, id, p.done)
    place(K.held_tell, id, p.tell)
end

function take.said(p)
    call('HSET', K.said, p.id, p.v)
    place(K.said_at, p.id, p.at)
    place(K.said_new, p.id, p.new)
end

-- Each carries its signature and the number that it had; new ones begin at 1 again.
function take.seals(p)
    call('XADD', K.seals, '*', unpack(p.v))
end

function take.hook(p)
    call('HSET', K.hook, p.id, p.v)
    for target, at in pairs(p.at) do
        call('ZADD', p.u == 1 and K.hook_urgent or K.hook_at, at, target .. '\n' .. p.id)
    end
end

-- The same agent may stand in several shards: the latest times count.
function take.agents(p)
    local a, was = unpack_mp(p.v), load_packed(K.agents, p.id)
    if was then
        local newer = was.on > a.on and was or a
        a = {on = math.max(a.on, was.on), off = math.max(a.off, was.off), node = newer.node, team = newer.team,
            shop = newer.shop}
    end
    call('HSET', K.agents, p.id, pack(a))
end

function take.rounds(p)
    call('ZADD', K.rounds, p.at, p.v)
end

local HIGHEST = {schema = true, fence = true, hooks_until = true, swept = true, folded_at = true,
    tracking_at = true}
local TEXTS = {zone = true, zones = true, tracking = true} -- the same in all shards
local OWN = {marks = true, case_seq = true, held_seq = true, seal_no = true, seal_hash = true, seal_node = true, seal_until = true,
    seal_fence = true}
function take.info(p)
    if HIGHEST[p.id] then
        highest(p.id, tonumber(p.v))
    elseif TEXTS[p.id] then
        call('HSET', K.info, p.id, p.v)
    elseif not OWN[p.id] and is_new('info\n' .. p.id) then
        call('HINCRBY', K.info, p.id, p.v)
    end
end

function take.figures(p)
    local key = KEYS[p.i]
    local held, want = tonumber(call('HGET', key, '#') or '-1'), tonumber(p.held)
    if want < held or not is_new(p.i .. '\n' .. p.id) then
        return
    end
    if want > held then
        call('DEL', key)
        call('HSET', key, '#', int(want))
    end
    call('HSET', key, p.id, pack(add_up(load_packed(key, p.id) or {}, unpack_mp(p.v))))
end

for i = 3, #ARGV do
    local piece = unpack_mp(ARGV[i])
    take[piece.k](piece)
end
return {#ARGV - 2}
