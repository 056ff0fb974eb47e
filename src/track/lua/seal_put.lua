-- needs: names lib said
-- Stores a seal. ARGV: fence, its number, conversation, entries it covers, head of the chain there, the seal, signature,
-- hash of the seal. Returns {'OK'} | {'STALE'}.
local fence, no, conv, n, head_hash = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local state = call('HMGET', K.info, 'seal_fence', 'seal_no')
if state[1] ~= fence or tonumber(state[2] or '0') ~= no - 1 then
    return {'STALE'}
end
call('XADD', K.seals, 'MAXLEN', '~', STREAM_MAX, '*', 'conv', conv, 'seal', ARGV[6], 'sig', ARGV[7])
call('HSET', K.info, 'seal_no', int(no), 'seal_hash', ARGV[8])
local head = load_packed(K.said, conv)
if head then
    head.sn, head.sh = n, head_hash
    call('HSET', K.said, conv, pack(head))
    if head.n <= n then
        call('ZREM', K.said_new, conv)
    else
        call('ZADD', K.said_new, int(redis_now()), conv)
    end
else
    call('ZREM', K.said_new, conv)
end
return {'OK'}
