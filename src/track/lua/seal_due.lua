-- needs: names lib said
-- What a gateway is to seal in this shard, which it has for itself meanwhile. ARGV: node, lease in ms, most conversations,
-- most entries of each. Returns {'BUSY'} | {'OK', fence, number of the last seal, its hash, {conversation, head before,
-- number before, entries so far, {entry…}}…}.
local SAID_FIRST_SEAL = string.rep('0', 64)
local node, lease, most, entries = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = redis_now()
local convs = call('ZRANGE', K.said_new, 0, most - 1)
if #convs == 0 then
    return {'BUSY'}
end
local state = call('HMGET', K.info, 'seal_until', 'seal_node', 'seal_no', 'seal_hash')
if tonumber(state[1] or '0') > now and state[2] ~= node then
    return {'BUSY'}
end
local fence = call('HINCRBY', K.info, 'fence', 1)
call('HSET', K.info, 'seal_until', int(now + lease), 'seal_node', node, 'seal_fence', fence)
local answer = {'OK', int(fence), state[3] or '0', state[4] or SAID_FIRST_SEAL}
for _, conv in ipairs(convs) do
    local head = load_packed(K.said, conv)
    if head then
        local rows = {}
        for _, e in ipairs(said_entries(conv, head, head.sn, entries)) do
            rows[#rows + 1] = said_row(e)
        end
        if #rows > 0 then
            answer[#answer + 1] = {conv, head.sh, int(head.sn), int(head.n), rows}
        else
            call('ZREM', K.said_new, conv)
        end
    else
        call('ZREM', K.said_new, conv)
    end
end
return answer
