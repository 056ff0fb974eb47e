-- Script apply: records that apply_step.lua leaves over, and what is told of records one by one.
local function leave_out(from, behind)
    if from > run then
        pieces[#pieces + 1] = sub(frames, run, from - 1)
    end
    run = behind
end

-- Fields of an entry of the stream, as `tell` counts their values.
local NAMES_IN = {'cust', 'mid', 'agent', 'team', 'shop', 'rules', 'shadow', 'rv', 'dup', 'sender', 'live'}
local NAMES_OUT = {'cust', 'mid', 'agent', 'team', 'shop', 'rules', 'shadow', 'rv', 'dup', 'act', 'dlv', 'human', 'ackonly', 'due', 'prule'}

-- Written at once: should the script fail behind it, it is written again, with the same id.
local function tell(number, how, what, at, conv, key, who, due, rule, flags, act, cust, sender, rv, rules, shadow)
    local e, n = {'XADD', K.stream, 'MAXLEN', '~', STREAM_MAX_TEXT, '*', 'id', ring .. ':' .. SHARD .. ':' .. int(number), 'k',
        what <= REPLAYED and 'in' or 'out', 'at', int(at), 'node', node, 'conv', conv}, 16
    local agent, team, shop = unpack_mp(who)
    local is_in, is_copy = what <= REPLAYED, how == 'dup' or how == 'moved'
    local mid = byte(key, 3) ~= 9 and sub(key, 3)
    local values = is_in and {cust, mid, agent, team, shop, rules, shadow, rv, is_copy and '1', sender, flags == 1 and '1'} or
        {cust, mid, agent, team, shop, rules, shadow, rv, is_copy and '1', act ~= 0 and int(act), flags % 2 == 1 and '1',
            flags % 4 >= 2 and '1', flags >= 4 and '1', due > 0 and int(due), due > 0 and rule}
    local names = is_in and NAMES_IN or NAMES_OUT
    for i = 1, #names do
        local v = values[i]
        if v and v ~= '' then
            e[n + 1], e[n + 2] = names[i], v
            n = n + 2
        end
    end
    call(unpack(e, 1, n))
end

-- A record that does not have the next number is passed over, or ends the call.
local function not_next(number, from)
    leave_out(from, pos)
    if number <= last then
        dups = dups + 1
    else
        status = 'GAP'
    end
end

-- What the gateway counted is not so, or was at another time.
local function correct(what, at, who, by)
    add_count(figures_of(at, who), what <= REPLAYED and 'in' or 'pass', by)
end

-- A plain message with no more to say: it counts as one, in most calls the gateway counted it.
local function count_plain(number, how, what, at, told_at, who)
    if not told_first then
        told_first, told_at_first = number, at
    end
    local is_one = how == 'new' or what > REPLAYED
    if is_counted and (at ~= told_at or not is_one) then
        correct(what, told_at, who, -1)
    end
    if is_one and (not is_counted or at ~= told_at) then
        correct(what, at, who, 1)
    end
end

-- What a rule hit, what was not passed, copies: they count by themselves and have an entry of their own in the stream.
local function account(number, how, was, what, at, told_at, marks, from, conv, key, who, due, r, record, rest)
    local flags, act, customer, sender, rv, rules, shadow = sunpack(PLAIN_REST, frames, rest)
    if is_counted and marks == 0 then
        correct(what, told_at, who, -1)
    end
    if what <= REPLAYED then
        count_in(how, was, at, who, rules, shadow)
    else
        count_out(how, at, who, act, rules, shadow)
    end
    if how == 'dup' or how == 'moved' then
        leave_out(from, pos)
    end
    tell(number, how, what, at, conv, key, who, due, due > 0 and (r or record_read(record, 1))[8], flags, act, customer, sender, rv, rules, shadow)
end

local function take_plain(number, from, what, marks, conv, at, code, times, key, who, fp, record, rest)
    local told_at, due, ob, oc = at, 0, 0, 0
    if times ~= NO_TIMES then
        due, ob, oc = sunpack('>I6I6I4', times)
    end
    if at > now then
        at = not_ahead(at, what <= REPLAYED)
        record = spack('>I6', at) .. sub(record, 7)
    end
    local how, was, r = 'new', nil, nil
    if what <= REPLY and at < oldest[what] then
        how = 'late'
        count(how, 1)
    elseif what <= REPLY then
        local h = convs[conv] or conv_get(conv, '')
        if h.total == 0 and h.cu == '' then
            local _, _, customer = sunpack(PLAIN_REST, frames, rest)
            h.cu = customer
        end
        if due > 0 or not step_table(h, conv, at, what <= REPLAYED, code >= 8, who, ob, oc, fp, record) then
            r = due > 0 and record_read(record, 1) or {at, code % 8, key, who, code >= 8 and 1 or 0, due, '', '', ob, oc}
            r[11] = record
            how, was = put_record(h, conv, r, fp)
        end
    end
    if marks == 0 and (how == 'new' or how == 'late') then
        return count_plain(number, how, what, at, told_at, who)
    end
    account(number, how, was, what, at, told_at, marks, from, conv, key, who, due, r, record, rest)
end

local function take_other(from)
    local number, len = sunpack('>I6H', frames, from)
    pos = from + FRAME + len
    if number ~= last + 1 then
        return not_next(number, from)
    end
    last, applied = number, applied + 1
    leave_out(from, pos)
    local ev = rare().read(sub(frames, from + FRAME, pos - 1))
    is_decoding = false
    if not rare().take(ev, number) then
        count('bad', 1)
    end
end

-- A record that cannot be read is passed over: its number is counted.
local function pass_over()
    if pos == begun then
        local fine, number, len = pcall(sunpack, '>I6H', frames, pos)
        pos = fine and pos + FRAME + len or #frames + 1
        if fine and number ~= last + 1 then
            return not_next(number, begun)
        elseif fine then
            last, applied = number, applied + 1
        end
    end
    leave_out(begun, pos)
    count('bad', 1)
end
