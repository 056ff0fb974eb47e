-- Constants and short names, of all scripts and of functions that have many variables besides (a function sees 60 of those
-- around it).
local SCHEMA = 4
local STREAM_MAX, STREAM_MAX_TEXT = 100000, '100000' -- numbers given to redis.call are printed by way of %.17g
local HOUR_MS, DAY_MS = 3600000, 86400000
local SPAN_MS = 28 * DAY_MS -- what one `days` hash holds

local call, pack, unpack_mp = redis.call, cmsgpack.pack, cmsgpack.unpack
local spack, sunpack, concat = struct.pack, struct.unpack, table.concat
local floor, byte, sub, find, format = math.floor, string.byte, string.sub, string.find, string.format
local HOURS, DAYS, FIRST_HOURS, FIRST_DAYS = 8, 4, 18, 26
