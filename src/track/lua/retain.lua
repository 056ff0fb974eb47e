-- needs: names lib lists cases
-- Forgets what the deployment keeps for less time than the bounds of docs/redis.md. ARGV, in ms, 0: leave it: finished
-- cases, the customer's words in finished cases, events of the stream. Returns how many cases went, and how many words.
local cases, words, events = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = redis_now()
local gone, emptied = 0, 0
if cases > 0 then
    for _, id in ipairs(call('ZRANGEBYSCORE', K.case_done, '-inf', int(now - cases), 'LIMIT', 0, 256)) do
        local c = load_packed(K.case, id)
        call('HDEL', K.case, id)
        call('ZREM', K.case_done, id)
        if c and call('ZSCORE', K.cust_at, c.cu) then -- the log would bring it back
            call('HDEL', K.cust, c.cu)
            call('ZREM', K.cust_at, c.cu)
        end
        gone = gone + 1
    end
end
if words > 0 then
    -- those that were due since the last time, and a day before for what was missed
    for _, id in ipairs(call('ZRANGEBYSCORE', K.case_done, int(now - words - DAY_MS), int(now - words))) do
        local c = load_packed(K.case, id)
        if c and c.wo ~= '' then
            c.wo = ''
            call('HSET', K.case, id, pack(c))
            local rec = load_packed(K.cust, c.cu)
            for _, e in ipairs(rec and rec.l or {}) do
                if e[4].wo then
                    e[4].wo = ''
                end
            end
            if rec then
                if rec.b then
                    rec.b.wo = ''
                end
                call('HSET', K.cust, c.cu, pack(rec))
            end
            emptied = emptied + 1
        end
    end
end
if events > 0 then
    call('XTRIM', K.stream, 'MINID', '~', int(now - events))
end
return {gone, emptied}
