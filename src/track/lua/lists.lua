-- Records of a window are arrays {at, order, key, agent or data, …}, sorted by time.
local function before(a, b)
    if a[1] ~= b[1] then
        return a[1] < b[1]
    end
    if a[2] ~= b[2] then
        return a[2] < b[2]
    end
    return a[3] < b[3]
end

local function insert_sorted(list, r)
    local i = #list
    while i > 0 and before(r, list[i]) do
        list[i + 1] = list[i]
        i = i - 1
    end
    list[i + 1] = r
    return i + 1
end

local function find_key(list, key)
    for i = #list, 1, -1 do
        if list[i][3] == key then
            return i
        end
    end
end

local function contains(list, v)
    for i = #list, 1, -1 do
        if list[i] == v then
            return true
        end
    end
    return false
end

local function push_bounded(list, v, max)
    list[#list + 1] = v
    if #list > max then
        table.remove(list, 1)
    end
end
