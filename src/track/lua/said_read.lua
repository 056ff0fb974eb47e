-- needs: names lib said
-- Transcripts for people. ARGV: 'entries', conversation, from number, most: {now, {customer, entries so far, first kept},
-- entry…}; 'seals', conversation or '' for all, stream id to begin behind, most looked at: {now, last stream id looked at
-- or '', {seal, signature}…}. Writes nothing.
local now = redis_now()
if ARGV[1] == 'entries' then
    local conv = ARGV[2]
    local head = load_packed(K.said, conv)
    if not head then
        return {int(now)}
    end
    local rows = {int(now), {head.cu, int(head.n), '0'}}
    for _, e in ipairs(said_entries(conv, head, tonumber(ARGV[3]), tonumber(ARGV[4]))) do
        rows[#rows + 1] = said_row(e)
    end
    return rows
end
local last, rows = '', {int(now), ''}
for _, e in ipairs(call('XRANGE', K.seals, ARGV[3] == '' and '-' or '(' .. ARGV[3], '+', 'COUNT', tonumber(ARGV[4]))) do
    last = e[1]
    if ARGV[2] == '' or e[2][2] == ARGV[2] then
        rows[#rows + 1] = {e[2][4], e[2][6]}
    end
end
rows[2] = last
return rows
