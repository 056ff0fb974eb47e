-- What rules hit.
local lists = {} -- of a call, by their text: most hits are of few rules

local function list_of(names)
    local list = lists[names]
    if not list then
        list = {}
        for name in string.gmatch(names, '[^,]+') do
            list[#list + 1] = name
        end
        lists[names] = list
    end
    return list
end

local function stat_list(at, scope, names, what, by)
    local m = figures_of(at, scope)
    for _, name in ipairs(list_of(names)) do
        m[name] = m[name] or {}
        add_count(m[name], what, by)
    end
end

-- The same by agent; mark `@` or `?`.
local function stat_hits(at, who, names, what, mark, by)
    local m = figures_of(at, who)
    for _, name in ipairs(list_of(names)) do
        add_count(m, what .. mark .. name, by)
    end
end
