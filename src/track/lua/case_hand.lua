-- What people put into a customer's log of complaints.
local now = redis_now()

local function new_id()
    return SHARD .. '-' .. call('HINCRBY', K.info, 'case_seq', 1)
end

local function unique_key(rec)
    local i, key = 0, nil
    repeat
        i = i + 1
        key = 'm:' .. int(now) .. ':' .. i
    until not find_key(rec.l, key) and not contains(rec.k, key)
    return key
end

local function finish(customer, rec, d, id)
    local result = cust_put(customer, rec, {now, 9, unique_key(rec), d}, new_id)
    cust_write(customer, rec, result, now)
    cases_announce(result, 'hand:' .. int(now), now, now)
    for _, c in ipairs(result.cases) do
        if c.id == id or not id and c == result.cases[#result.cases] then
            return {'OK', c.id, c.s}
        end
    end
    return {'NONE'}
end
