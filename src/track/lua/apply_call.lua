-- The frame of script apply: what it is called with, and what it collects to write.
local NOT_LIVE_MS, LATE_MS = DAY_MS, 7 * DAY_MS
local CONV_SLACK_MS = HOUR_MS
local SWEEP_EVENTS, SWEEP_MS = 256, 1000
local ring, node, frames = ARGV[2], ARGV[4], ARGV[5]
local last = tonumber(call('HGET', K.applied, ring) or '0')
local known = call('HMGET', K.info, 'schema', 'swept', 'folded', 'folded_at', 'zone', 'tracking')
local zone, measure, zones, counts, n_busy, CONVS = ARGV[6], ARGV[7], ARGV[9], ARGV[10], tonumber(ARGV[11]), 12
local held = tonumber(known[1] or SCHEMA)
if ARGV[1] ~= tostring(SCHEMA) or held > SCHEMA + 1 then
    return {last, 0, 0, 'VERSION'}
end

local now = redis_now()
local can_step
local more -- all that plain messages in conversations with a short head do not need

-- Plain messages are told in the stream as they came, all of a call in one entry; at `run` those begin that are not in
-- `pieces` yet. What a rule hit has an entry of its own as well, with the same id; copies and all other records that alone.
local size, pos, begun, run, pieces, told_first, told_at_first = #frames, 1, 1, 1, {}, nil, nil
local applied, dups, status, is_decoding = 0, 0, 'OK', false
local other_at = 0 -- a record of another form stands there, which could not be read as one of the plain form
local oldest = {now - LATE_MS, now - NOT_LIVE_MS, now - LATE_MS}
local is_counted = counts ~= '' and size > FRAME and sunpack('>I6', frames) == last + 1

-- What is written in the end, as commands. Of a conversation nothing stands in two of them.
local heads, n_heads, wins, n_wins = {'HSET', K.conv}, 2, {'HSET', K.win}, 2
local waits, looks, n_waits, ends, n_ends = {'ZADD', K.waiting}, {'ZADD', K.remind_at, 'LT'}, 2, {'ZREM', K.waiting}, 2
local ats, n_ats, closed, n_closed = {'ZADD', K.conv_at}, 2, {'ZADD', K.rounds}, 2
local earlier = {} -- lists of waits, looks and ends that go before these

-- By conversation: the text of its head; when apply_step.lua made another one of it the place of that in `heads`, in `wins` of
-- its record. Those that the gateway named are read with one command; the first n_busy of them have several records in this
-- call, for which a table is cheaper.
local heads_read, busy_read = {}, {}
if #ARGV >= CONVS then
    local texts = call('HMGET', K.conv, unpack(ARGV, CONVS))
    for i = 1, n_busy do
        busy_read[ARGV[CONVS - 1 + i]] = texts[i]
    end
    for i = n_busy + 1, #ARGV - CONVS + 1 do
        heads_read[ARGV[CONVS - 1 + i]] = texts[i]
    end
end
