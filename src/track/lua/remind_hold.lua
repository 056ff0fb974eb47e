-- needs: names lib
-- Quiet hours: an item that is due is looked at again when they end. ARGV: item, until (ms). Returns {'OK'} | {'GONE'}.
if not call('ZSCORE', K.remind_at, ARGV[1]) then
    return {'GONE'}
end
call('ZADD', K.remind_at, ARGV[2], ARGV[1])
return {'OK'}
