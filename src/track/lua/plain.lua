-- Plain messages, as src/track/event.h describes them, in frames one behind the other: arguments of script apply, field b
-- of entries k=batch of the stream.
local FRAME, FORM_PLAIN, REPLAYED, REPLY = 8, 1, 2, 3
-- Number, length, form and what and marks in one, fingerprint, bytes of the record, conversation, then of the record time, code,
-- the times that most lack (due, business time, calendar), key, who. PLAIN_RECORD: where the record begins, but for the length
-- of the conversation's name. PLAIN_REST: what follows.
local PLAIN, PLAIN_RECORD, PLAIN_REST = '>I6HI3c2HBc0I6Bc16Bc0Hc0', 16, '>BBBc0Bc0Bc0Bc0Bc0'
local NO_TIMES = string.rep('\0', 16)
