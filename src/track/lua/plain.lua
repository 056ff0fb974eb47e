-- Plain messages, as src/track/event.h describes them, in frames one behind the other: arguments of script apply, field b
-- of entries k=batch of the stream.
local FRAME, FORM_PLAIN = 8, 1
-- Number, length, form, what, marks, fingerprint, bytes of the record, conversation, then of the record what is always
-- needed. PLAIN_RECORD: where the record begins, but for the length of the conversation's name. PLAIN_REST: what follows.
local PLAIN, PLAIN_RECORD, PLAIN_REST = '>I6HBBBc2HBc0I6BI6I6I4Bc0Hc0', 16, '>BBBc0Bc0Bc0Bc0Bc0'
