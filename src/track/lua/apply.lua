-- needs: names lib conv_form conv_text figures figures_fold:zone figures_fold:buckets figures_fold:figures_fold measure_make:zone measure_make:measure plain apply_call apply_step more:names more:conv_form more:plain more:conv more:lists more:rounds more:late:rounds_late more:figures_rules more:apply_conv more:apply_plain more:rare:hook more:rare:cases more:rare:promise more:rare:held more:rare:said more:rare:apply_rare more:apply_write
-- Applies records of one ring to one shard, each exactly once (docs/redis.md).
-- ARGV: schema version, ring id, offset_ms (Redis TIME minus the gateway's clock), node id, records as frames one behind
-- the other (6 bytes number, 2 bytes length, event), the zone of days (zone.lua), how replies are measured (measure.lua), 1 or
-- 4: into how many parts days of these zones cut an hour, the shops with days of their own ('-': none; '': as it was told
-- before), what its plain messages count as (an entry of the log of figures, see figures.lua: `in` of customers, `pass` of agents, those of which
-- no action and no rule is told; only if the numbers follow one another; '': the script counts), how many of the conversations
-- that follow have more than one plain record here, the conversations that the records are about, or some of them.
-- Returns {last applied, applied, duplicates, 'OK' | 'GAP' | 'VERSION'}.
if measure ~= '' then
    measured = measure_make()(zone, measure)
    note_open, note_more, note_reply = measured.note_open, measured.note_more, measured.note_reply
end
if ARGV[8] == '4' then
    figures_by_quarters()
end
can_step = not (note_open or note_more or note_reply)
local live_from = oldest[REPLAYED]

-- A plain message; what most need stands here, all else in apply_plain.lua. Records of other forms are noticed on the way, or
-- cannot be read.
local function take_plain(from)
    local number, len, kind, fp, n, conv, at, code, times, key, who = sunpack(PLAIN, frames, from)
    local marks = kind % 256
    local what = (kind - marks) / 256 - FORM_PLAIN * 256
    if what < 0 or what > 255 then
        return more().take_other(from)
    end
    local begin = from + PLAIN_RECORD + #conv
    pos = from + FRAME + len
    if number ~= last + 1 then
        return more().not_next(number, from)
    end
    last, applied = number, applied + 1
    local rest = begin + n
    local record = sub(frames, begin, rest - 1)
    if rest > pos or what < 1 or what > 4 then
        error('no event')
    end
    is_decoding = false
    local text, due, ob, oc = heads_read[conv], 0, 0, 0
    if text and times ~= NO_TIMES then
        due, ob, oc = sunpack('>I6I6I4', times)
    end
    if not text or due > 0 or not can_step or at > now or at < live_from or what > REPLY or heads[text] or
        not step_text(conv, text, at, what <= REPLAYED, code >= 8, who, ob, oc, fp, record) then
        return (more_made or more()).take_plain(number, from, what, marks, conv, at, code, times, key, who, fp, record, rest)
    elseif marks ~= 0 then
        return (more_made or more()).account(number, 'new', nil, what, at, at, marks, from, conv, key, who, 0, nil, record, rest)
    end
    if not told_first then
        told_first, told_at_first = number, at
    end
    if not is_counted then
        more().correct(what, at, who, 1)
    end
end

local function apply_rest()
    while pos <= size and status == 'OK' do
        is_decoding, begun = true, pos
        if other_at == pos then
            more().take_other(pos)
        else
            take_plain(pos)
        end
    end
    is_decoding = false
end

-- One protected call for all, not one for each.
repeat
    local fine, trouble = pcall(apply_rest)
    if not fine then
        if not is_decoding then
            error(trouble, 0)
        elseif other_at ~= begun and byte(frames, begun + FRAME) ~= FORM_PLAIN then
            pos, other_at = begun, begun
        else
            more().pass_over()
        end
    end
until fine
if run > 1 or pos <= size then -- else the stream gets what came, and nothing is copied
    more().leave_out(pos, pos)
end
if applied == 0 then
    return {last, 0, dups, status}
end

-- From here on only writes, and reads for the bounds.
call('HSET', K.applied, ring, int(last))
if told_first then
    call('XADD', K.stream, 'MAXLEN', '~', STREAM_MAX_TEXT, '*', 'id', ring .. ':' .. SHARD .. ':' .. int(told_first), 'k', 'batch', 'at',
        int(told_at_first), 'node', node, 'b', run == 1 and frames or concat(pieces))
end
local events = call('HINCRBY', K.info, 'events', applied)
if held ~= SCHEMA and held < SCHEMA or not known[1] then
    call('HSET', K.info, 'schema', SCHEMA)
end
if zone ~= (known[5] or '') or measure ~= (known[6] or '') then
    call('HSET', K.info, 'zone', zone, 'tracking', measure, 'tracking_at', int(now))
end
if zones ~= '' and zones ~= (call('HGET', K.info, 'zones') or '-') then
    call('HSET', K.info, 'zones', zones, 'tracking_at', int(now))
end

if more_made then
    more_made.write_first()
end
if n_closed > 2 then
    call(unpack(closed, 1, n_closed))
end
if n_ats > 2 then
    call(unpack(ats, 1, n_ats))
end
earlier[#earlier + 1] = {waits, looks, ends}
for _, lists in ipairs(earlier) do
    for _, l in ipairs(lists) do
        if #l > 3 or #l > 2 and l == lists[3] then
            call(unpack(l))
        end
    end
end
if n_heads > 2 then
    call(unpack(heads, 1, n_heads))
end
for first = 3, n_wins, 2000 do
    call('HSET', K.win, unpack(wins, first, math.min(first + 1999, n_wins)))
end
if more_made then
    more_made.write_last()
end
figures_log(is_counted and counts)
local folded, folded_at = tonumber(known[3] or '0'), tonumber(known[4] or '0')
if events - folded >= FOLD_EVENTS or now - folded_at >= FOLD_MS or now < folded_at then
    call('HSET', K.info, 'folded', events, 'folded_at', int(now))
    figures_fold()
end
if floor(events / SWEEP_EVENTS) ~= floor((events - applied) / SWEEP_EVENTS) or now - tonumber(known[2] or '0') >= SWEEP_MS then
    more().rare().sweep(events)
    figures_log() -- what was forgotten may have counted
end
if more_made then
    more_made.write_info()
end
return {last, applied, dups, status}
