-- needs: names lib conv_form conv lists cases
-- Looks for contradictions in one shard; writes nothing. ARGV: question ('all' at first), cursor. Returns {next cursor or '0',
-- {code, what, where}…}; rows with the code '@' name a customer whose state lies here. Each item is looked at in one
-- piece with all that depends on it, so that gateways may go on meanwhile.
local COUNT = 200
local question, cursor = ARGV[1], ARGV[2]
local rows = {'0'}

local function tell(code, what, where)
    rows[#rows + 1] = {code, what, where}
end

local TYPES = {applied = 'hash', rings = 'zset', info = 'hash', stream = 'stream', conv = 'hash', conv_at = 'zset',
    waiting = 'zset', due = 'zset', cust = 'hash', cust_at = 'zset', case = 'hash', case_open = 'zset',
    case_done = 'zset', remind = 'hash', remind_at = 'zset', agents = 'hash', rounds = 'zset', win = 'hash', figlog = 'list'}

local function name_of(key)
    return string.match(key, '}:(.*)$')
end

local function shape()
    for _, key in ipairs(KEYS) do
        local name = name_of(key)
        local figures = string.match(name, '^hours:') or string.match(name, '^days:')
        local want, is = figures and 'hash' or TYPES[name], call('TYPE', key).ok
        if want and is ~= 'none' then
            if is ~= want then
                tell('type', 'is a ' .. is .. ', must be a ' .. want, key)
            elseif not figures and call('PTTL', key) ~= -1 then
                tell('expires', 'has a time to live, must have none', key)
            elseif figures and call('PTTL', key) == -1 then
                tell('never_expires', 'has no time to live', key)
            end
        end
    end
    local held = call('TYPE', K.info).ok == 'hash' and call('HGET', K.info, 'schema')
    if held and math.abs((tonumber(held) or -9) - SCHEMA) > 1 then
        tell('schema', 'is of schema ' .. held .. ', this program knows ' .. SCHEMA, K.info)
    end
end

local function unpacked(key, field, value, how)
    local fine, v = pcall(how or unpack_mp, value)
    if not fine or type(v) ~= 'table' then
        tell('unreadable', 'holds no packed map', key .. ' ' .. field)
        return nil
    end
    return v
end

-- Calls fn(member, value) on a slice of a hash or sorted set.
local function slice(command, key, fn)
    local got = call(command, key, cursor, 'COUNT', COUNT)
    rows[1] = got[1]
    for i = 1, #got[2], 2 do
        fn(got[2][i], got[2][i + 1])
    end
end

local function same(score, number)
    return score and tonumber(score) == number
end

local ask = {shape = shape}

function ask.conv()
    slice('HSCAN', K.conv, function(id, value)
        local c = unpacked(K.conv, id, value, conv_table)
        if not c or type(c.t) ~= 'table' then
            return
        end
        tell('@', c.cu ~= '' and c.cu or id, id)
        local score = call('ZSCORE', K.waiting, id)
        if c.t.since > 0 and not same(score, c.t.since) then
            tell('waiting', 'somebody waits, but is not (or with another time) in waiting', id)
        elseif c.t.since == 0 and score then
            tell('waiting', 'nobody waits, but it is in waiting', id)
        end
        if not call('ZSCORE', K.conv_at, id) then
            tell('never_forgotten', 'is not in conv_at', id)
        end
        for _, p in ipairs(c.t.p or {}) do
            local hand = load_packed(K.remind, 'P\n' .. id .. '\n' .. p[3])
            if not call('ZSCORE', K.due, id .. '\n' .. p[3]) and not (hand and hand.x) then
                tell('due', 'an open commitment is not in due', id)
            end
        end
    end)
end

function ask.waiting()
    slice('ZSCAN', K.waiting, function(id)
        if call('HEXISTS', K.conv, id) == 0 then
            tell('waiting', 'is in waiting, but there is no such conversation', id)
        end
    end)
end

function ask.conv_at()
    slice('ZSCAN', K.conv_at, function(id)
        if call('HEXISTS', K.conv, id) == 0 then
            tell('conv_at', 'is in conv_at, but there is no such conversation', id)
        end
    end)
end

function ask.due()
    slice('ZSCAN', K.due, function(item)
        local id, key = string.match(item, '^(.-)\n(.*)$')
        local c, found = id and conv_load(id), false
        for _, p in ipairs(c and c.t.p or {}) do
            found = found or p[3] == key
        end
        if not found then
            tell('due', 'is in due, but no open commitment', item)
        end
    end)
end

-- The state that the customer's log gives, against what stands in the case.
function ask.cust()
    slice('HSCAN', K.cust, function(customer, value)
        local rec = unpacked(K.cust, customer, value)
        if not rec then
            return
        end
        tell('@', customer, customer)
        local fine, derived = pcall(case_derive, customer, rec.b, rec.l)
        local is_live = false
        for _, c in ipairs(fine and derived or {}) do
            local case = c.id and load_packed(K.case, c.id)
            is_live = is_live or LIVE[c.s]
            if case and case.s ~= c.s then
                tell('case_state', 'is ' .. case.s .. ', by its customer\'s log ' .. c.s, c.id)
            elseif not case and LIVE[c.s] then
                tell('case_missing', 'an open case of this customer is missing', c.id or customer)
            end
        end
        if not fine then
            tell('unreadable', 'the log of complaints cannot be read', customer)
        elseif not is_live and not call('ZSCORE', K.cust_at, customer) then
            tell('never_forgotten', 'has no open case and is not in cust_at', customer)
        end
    end)
end

function ask.cust_at()
    slice('ZSCAN', K.cust_at, function(customer)
        if call('HEXISTS', K.cust, customer) == 0 then
            tell('cust_at', 'is in cust_at, but there is no such log', customer)
        end
    end)
end

function ask.case()
    slice('HSCAN', K.case, function(id, value)
        local c = unpacked(K.case, id, value)
        if not c then
            return
        end
        local open, done = call('ZSCORE', K.case_open, id), call('ZSCORE', K.case_done, id)
        if LIVE[c.s] and (not same(open, c.opened) or done) then
            tell('case_index', 'is ' .. c.s .. ', but not rightly in case_open', id)
        elseif not LIVE[c.s] and (not same(done, c.done) or open) then
            tell('case_index', 'is ' .. c.s .. ', but not rightly in case_done', id)
        end
        if string.match(id, '^(%d+)%-') ~= SHARD then
            tell('case_shard', 'has the id of another shard', id)
        end
    end)
end

for _, name in ipairs({'case_open', 'case_done'}) do
    ask[name] = function()
        slice('ZSCAN', K[name], function(id)
            if call('HEXISTS', K.case, id) == 0 then
                tell('case_index', 'is in ' .. name .. ', but there is no such case', id)
            end
        end)
    end
end

function ask.remind()
    slice('HSCAN', K.remind, function(item, value)
        local by_hand = string.sub(item, 1, 2) == 'P\n' -- what a person decided about a commitment
        if unpacked(K.remind, item, value) and not by_hand and not call('ZSCORE', K.remind_at, item) then
            tell('remind', 'has steps, but is not in remind_at', item)
        end
    end)
end

function ask.applied()
    slice('HSCAN', K.applied, function(ring, value)
        if not string.match(value, '^%d+$') then
            tell('applied', 'is "' .. value .. '", must be a number', ring)
        elseif not call('ZSCORE', K.rings, ring) then
            tell('never_forgotten', 'is not in rings', ring)
        end
    end)
end

-- All questions; those that one call cannot answer to their end are named in rows {'>', question, cursor}. In keys of the
-- wrong shape the others would only stumble.
local QUESTIONS = {'applied', 'conv', 'waiting', 'conv_at', 'due', 'cust', 'cust_at', 'case', 'case_open', 'case_done',
    'remind'}
function ask.all()
    shape()
    for i = 1, #rows == 1 and #QUESTIONS or 0 do
        rows[1], cursor = '0', '0'
        local fine, why = pcall(ask[QUESTIONS[i]])
        if not fine then
            tell('unreadable', type(why) == 'table' and why.err or tostring(why), QUESTIONS[i])
        elseif rows[1] ~= '0' then
            tell('>', QUESTIONS[i], rows[1])
        end
    end
    rows[1] = '0'
end

ask[question]()
return rows
