-- What a person decided about a commitment, kept in K.remind under `P\n<conversation>\n<record key>`:
--   {x 'kept' | 'cancelled' ended, d due time given by hand, at, who}
local function promise_hand(conv, key)
    return load_packed(K.remind, 'P\n' .. conv .. '\n' .. key)
end

-- What an outcome {how, made, due, end, who, key} of rounds.lua counts as; nil: it was ended by hand.
local function promise_outcome(conv, o)
    local hand = promise_hand(conv, o[6])
    if hand and hand.x then
        return nil
    elseif hand and hand.d and o[1] ~= 'extended' then
        return o[4] <= hand.d and 'kept' or 'broken'
    end
    return o[1]
end

local function promise_forget(conv, key)
    call('ZREM', K.due, conv .. '\n' .. key)
    call('HDEL', K.remind, 'P\n' .. conv .. '\n' .. key)
end
