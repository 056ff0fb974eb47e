-- Events for webhooks wait here until every target has them (docs/redis.md, "Webhooks"). K.hook holds
--   id: {at, u 1 urgent, k kind, sv severity, f fields {name, value…}, d targets {name: {t tries, f fence, l lease, n node}}}
-- and K.hook_urgent or K.hook_at a member `<target>\n<id>` per delivery by when to look at it; no target yet: `\n<id>`.
local HOOKS_MAX = 5000

local function hook_queue(e)
    return e.u == 1 and K.hook_urgent or K.hook_at
end

local function hook_forget(id, e)
    call('HDEL', K.hook, id)
    if e then
        local queue = hook_queue(e)
        call('ZREM', queue, '\n' .. id)
        for target in pairs(e.d or {}) do
            call('ZREM', queue, target .. '\n' .. id)
        end
    end
end

-- Room for one more: the longest waiting one goes, urgent ones last.
local function hook_make_room()
    if call('HLEN', K.hook) < HOOKS_MAX then
        return
    end
    local first = call('ZRANGE', K.hook_at, 0, 0)[1] or call('ZRANGE', K.hook_urgent, 0, 0)[1]
    local id = first and string.match(first, '\n(.*)$')
    if id then
        hook_forget(id, load_packed(K.hook, id))
        call('HINCRBY', K.info, 'hooks_dropped', 1)
    end
end

-- Writes an event unless no gateway has a webhook. `id` names it for good: a second one with the same id is not written.
local function hook_put(id, kind, severity, urgent, fields, now)
    if tonumber(call('HGET', K.info, 'hooks_until') or '0') < now then
        return
    end
    hook_make_room()
    local name = redis.sha1hex(id)
    local e = {at = now, u = urgent and 1 or 0, k = kind, sv = severity, f = fields}
    if call('HSETNX', K.hook, name, pack(e)) == 1 then
        call('ZADD', hook_queue(e), int(now), '\n' .. name)
    end
end
