-- Days of a zone, from a text as in info.zone: "NAME OFFSET_MS [BEFORE_MS SINCE_MS]" (track/day_zone.h); without one those
-- of UTC.
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

-- Whose days are which: a function of a shop's name ('' or none: the deployment's zone) that gives its zone. From info.zone,
-- and info.zones (track/shop_zones.h), lines of a zone and, each between two tabs, the shops whose days it cuts.
local function zones_read()
    local known, zones, of = call('HMGET', K.info, 'zone', 'zones'), {}, {}
    local main = zone_make(known[1] or '')
    for zone, shops in string.gmatch(known[2] or '', '([^\t\n]+)(\t[^\n]*)') do
        zones[#zones + 1] = {zone_make(zone), shops}
    end
    return function(shop)
        local zone = of[shop or '']
        if not zone then
            zone = main
            for _, z in ipairs(shop and shop ~= '' and zones or {}) do
                if find(z[2], '\t' .. shop .. '\t', 1, true) then
                    zone = z[1]
                end
            end
            of[shop or ''] = zone
        end
        return zone
    end
end
