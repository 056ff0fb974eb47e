-- The webhooks' targets, for people; writes nothing. KEYS: cg:hooks. Returns {now, {target, kind, host, sent, failed, given up,
-- last success, last failure, its error, failures in a row, broken until, told to wait until, last seen}…}.
local function int(v)
    return string.format('%.0f', tonumber(v) or 0)
end
local t = redis.call('TIME')
local rows = {int(tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local m = cmsgpack.unpack(all[i + 1])
    rows[#rows + 1] = {all[i], m.kind or '', m.host or '', int(m.sent), int(m.failed), int(m.gave), int(m.ok_at), int(m.fail_at),
        m.err or '', int(m.b), int(m.o), int(m.w), int(m.seen)}
end
return rows
