-- needs: names lib held
-- Held messages for people. ARGV: 'list', 'waiting' | 'open' | 'all', most; or 'one', id. Writes nothing. Returns {now, row…},
-- row: {id, state, held at, expires, agent, team, shop, conversation, customer, message id, edit '1' | '', rules, text,
-- who, why, decided at, ended at, node}, numbers as strings; waiting ones oldest first, behind them ended ones, newest first.
local now = redis_now()
local rows = {int(now)}

local function add(id, only)
    local h = held_load(id)
    if h and (not only or h.s == only) then
        local state = h.s == 'waiting' and h.ex <= now and 'expired' or h.s
        rows[#rows + 1] = {h.id, state, int(h.at), int(h.ex), h.g, h.t, h.p, h.cv, h.cu, h.mid, h.ed == 1 and '1' or '',
            h.ru, h.tx, h.who, h.why, int(h.dat), int(h.dn), h.nd}
    end
end

if ARGV[1] == 'one' then
    add(ARGV[2])
    return rows
end
local which, most = ARGV[2], tonumber(ARGV[3])
for _, id in ipairs(call('ZRANGE', K.held_at, 0, most - 1)) do
    add(id, which == 'waiting' and 'waiting')
end
if which == 'all' then
    for _, id in ipairs(call('ZREVRANGE', K.held_done, 0, most - 1)) do
        add(id)
    end
end
return rows
