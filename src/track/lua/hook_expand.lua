-- needs: names lib hook
-- Gives an event its targets. ARGV: id, targets… Returns {'OK'} | {'DONE'} it has them already, or is gone.
local id = ARGV[1]
local e = load_packed(K.hook, id)
if not e or e.d then
    return {'DONE'}
end
call('ZREM', hook_queue(e), '\n' .. id)
e.d = {}
for i = 2, #ARGV do
    e.d[ARGV[i]] = {t = 0, f = 0, l = 0, n = ''}
    call('ZADD', hook_queue(e), int(e.at), ARGV[i] .. '\n' .. id)
end
if next(e.d) then
    call('HSET', K.hook, id, pack(e))
else
    hook_forget(id, e)
end
return {'OK'}
