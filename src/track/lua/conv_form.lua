-- A conversation as a pure function of its events in time order. Stored in two hashes, so that an event in order reads and
-- writes a few hundred bytes, whatever the conversation's length (Redis's Lua takes time for every byte of a text it makes):
--   conv  id: head, see HEAD; win  id\nSLOT: a record, number modulo SLOTS; those whose number divides by CHUNK have the state
--         before them in front, see SNAP and RECORD. All numbers big-endian, all texts behind their length.
--   HEAD:    3, top (time of the newest record), total (records), 0, STATE, customer, og, g, p and ref and extra in
--            one (rare_unpack), fps to the end
--   short:   4, 5 or 6, top, total, news; 5 and 6: since, twice n and rep, last; 6: so, sc; who, customer, fps to the end. `at`
--            is top, og is who (of 4: ''), g is who (where `last` is 0: ''), of 4 `last` is top; all that is missing is 0 or ''
--   STATE:   at last event, since (0: nobody waits), n messages, last and news: last reply and last one that is more than
--            an acknowledgement, rep 1: replied in this session, so sc business time of `since` and its calendar; og who saw
--            the first message, g last replier, p packed open commitments {made, due, key, who, rule} or ''
--   SNAP:    top and state before the first record that follows
--   RECORD:  at, 1 out | 2 refused | 3 in (+ 8: no more than an acknowledgement), due, business time and its calendar (0:
--            none), key, who, text hash, rule. At the same millisecond a customer's message stands behind an agent's: who
--            may have been answered still waits, so that nobody vanishes
--   ref:     message ids of refusals that found no message; extra: packed keys of messages that count although they are
--            older than the window; fps: two bytes of hash of every key in the window
--   who:     packed agent, team, shop
-- The window is what lies in the slots, from the oldest state on; that state is the base. A late event is put in its place
-- and the rounds behind it are computed anew, from the newest state that suffices; the caller books the difference.
-- In memory a record is an array {at, order, key, who, ack, due, text hash, rule, business time, calendar}; behind it may
-- stand the packed RECORD, and where that has no due time, text hash and rule may be missing.
local CONV_HEAD, CONV_SLOTS = 3, 104
local HEAD = '>BI6I4I6I6I6I4I6I6BI6I4Bc0Hc0Hc0Hc0'
local HEAD_2 = '>BI6I4I6I6I6I4I6I6BI6I4Hc0Hc0Hc0Hc0Hc0Hc0Hc0' -- of schema version 2
-- Short heads, which most conversations have: nobody waits after a reply; somebody waits; … and the shop has a calendar.
local CONV_QUIET, CONV_WAITING, CONV_WAITING_CAL = 4, 5, 6
local SHORT, SHORT_WAITING, SHORT_CAL, SHORT_NAMES = '>BI6I4I6', '>I6I4I6', '>I6I4', '>Hc0Bc0'
-- What stands before the names of such a head, in one piece.
local WAITING, WAITING_CAL = '>BI6I4I6I6I4I6', '>BI6I4I6I6I4I6I6I4'

local CHUNK, SLOTS, EXTRA = 8, CONV_SLOTS, 64
local FPS_BYTES, FPS_SLACK = 2 * SLOTS, 48
local SESSION_MS = 8 * 3600000 -- a customer who writes after so long a silence begins a new session (first reply)
local PENDING = 8
local CONV_IDLE_MS, CONV_OPEN_MS = 48 * 3600000, 7 * 24 * 3600000 -- after which it is forgotten, and while somebody waits
local OUT, REFUSED, IN = 1, 2, 3
-- struct.pack and concatenation: cmsgpack.pack of many values takes several times as long.
local SNAP, RECORD = '>I6I6I6I4I6I6BI6I4Hc0Hc0Hc0', '>I6BI6I6I4Bc0Hc0Bc0Bc0'
