-- needs: names lib lists hook cases case_hand
-- A person opens or moves a case. ARGV: 'move', case id, state, who, why
--                                    or 'open', customer, conversation, kind, severity, words, who, why, and where they are
--                                       known agent, team, shop
-- Returns {'OK', id, state} | {'NONE'} no such case | {'ILLEGAL', state, legal states…} | {'OTHER', id} another case of
-- this customer is open.
if ARGV[1] == 'open' then
    local rec = cust_load(ARGV[2])
    local words = string.sub(ARGV[6], 1, 600)
    return finish(ARGV[2], rec, {y = 'c', g = ARGV[9] or '', t = ARGV[10] or '', p = ARGV[11] or '', cv = ARGV[3], ck = ARGV[4], sv = tonumber(ARGV[5]) or 1,
        ru = 'by hand', wo = words, od = order_numbers(words), who = ARGV[7], why = ARGV[8]})
end

local id, to, who, why = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local case = load_packed(K.case, id)
if not case then
    return {'NONE'}
end
if not LEGAL[case.s][to] then
    local answer = {'ILLEGAL', case.s}
    for state in pairs(LEGAL[case.s]) do
        answer[#answer + 1] = state
    end
    return answer
end
local rec = cust_load(case.cu)
local cases, known = (case_derive(case.cu, rec.b, rec.l)), false
local cur = cases[#cases]
for _, c in ipairs(cases) do
    known = known or c.id == id
end
if cur and cur.id ~= id and LIVE[cur.s] then
    return {'OTHER', cur.id}
end
if not known then -- its customer's log is gone or has gone on: the case goes on from what is stored
    rec = {l = {}, k = rec.k, b = case}
end
return finish(case.cu, rec, {y = 'm', id = id, to = to, who = who, why = why, g = ''}, id)
