-- The bucket numbers of base/hist.c.
local function hist_index(v)
    if v > 1099511627775 then
        v = 1099511627775
    end
    if v < 64 then
        return v
    end
    local _, e = math.frexp(v)
    local shift = e - 7
    return (shift + 1) * 64 + floor(v / 2 ^ shift) - 64
end
