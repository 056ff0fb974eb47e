-- Days of the deployment's zone, from the text in info.zone: "NAME OFFSET_MS [BEFORE_MS SINCE_MS]" (track/day_zone.h);
-- without a text those of UTC.
local function zone_make(text)
    local offset, before, since = string.match(text or '', '^%S+ (%-?%d+) ?(%-?%d*) ?(%d*)$')
    offset, before, since = tonumber(offset) or 0, tonumber(before), tonumber(since) or 0
    local z = {}
    -- Local time is UTC plus this.
    function z.offset(at)
        return before and at < since and before or offset
    end
    function z.day(at)
        return floor((at + z.offset(at)) / DAY_MS)
    end
    -- The first moment of a day.
    function z.midnight(day)
        local at = day * DAY_MS
        return at - z.offset(at - offset)
    end
    return z
end
