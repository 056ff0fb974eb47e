-- Common to all scripts. KEYS are those of schema.h, in that order. Nothing but entries of the stream is written before a
-- script has read and computed everything, so an error in the middle leaves no half of an event behind.
local call, pack, unpack_mp = redis.call, cmsgpack.pack, cmsgpack.unpack
local spack, sunpack = struct.pack, struct.unpack
local byte, sub, find = string.byte, string.sub, string.find
local K = {applied = KEYS[1], rings = KEYS[2], info = KEYS[3], stream = KEYS[4], conv = KEYS[5], conv_at = KEYS[6],
    waiting = KEYS[7], due = KEYS[8], cust = KEYS[9], cust_at = KEYS[10], case = KEYS[11], case_open = KEYS[12],
    case_done = KEYS[13], remind = KEYS[14], remind_at = KEYS[15], agents = KEYS[16], rounds = KEYS[17],
    held = KEYS[30], held_at = KEYS[31], held_done = KEYS[32], held_tell = KEYS[33], said = KEYS[34],
    said_at = KEYS[35], said_new = KEYS[36], seals = KEYS[37], hook = KEYS[38], hook_at = KEYS[39],
    hook_urgent = KEYS[40], win = KEYS[41], figlog = KEYS[42]}
local SHARD = string.match(KEYS[1], '{(.-)}')

local function int(v)
    return format('%d', v)
end

local function redis_now()
    local t = call('TIME')
    return tonumber(t[1]) * 1000 + floor(tonumber(t[2]) / 1000)
end

local function load_packed(key, field)
    local v = call('HGET', key, field)
    return v and unpack_mp(v)
end
