-- Constants and names of all scripts, and once more of functions that see many variables (60 of those around them).
local SCHEMA = 4
local STREAM_MAX, STREAM_MAX_TEXT = 100000, '100000' -- numbers given to redis.call are printed by way of %.17g
local HOUR_MS, DAY_MS = 3600000, 86400000
local SPAN_MS = 28 * DAY_MS -- what one `days` hash holds
local concat, floor, format = table.concat, math.floor, string.format
local HOURS, DAYS, FIRST_HOURS, FIRST_DAYS = 8, 4, 18, 26
