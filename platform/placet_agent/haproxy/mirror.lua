-- Copies requests to a replica of the candidate. Nobody waits for its answer, and nobody gets it.
-- What goes wrong here ends here: a copy that cannot be made or sent is none.

local MOST = 32 -- under way at once, of all endpoints; what comes meanwhile is not copied
local ENDPOINTS = tonumber((...)) -- whose requests are copied
local SHARE = math.max(1, MOST // ENDPOINTS) -- of one: a candidate that hangs takes no other's
local MILLISECONDS = 10000
local METHODS = { GET = "get", HEAD = "head", POST = "post", PUT = "put", DELETE = "delete" }
local OWN = { ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true,
    ["expect"] = true, ["host"] = true, ["x-request-id"] = true, ["x-placet-cohort"] = true }

local under_way, turn = {}, 0 -- by endpoint: a set

-- A replica's link leads to its socket; a port is one that an older agent started.
local function pick(targets)
    local found = {}
    for target in string.gmatch(targets, "[^,]+") do
        found[#found + 1] = target
    end
    turn = turn + 1
    return found[turn % #found + 1]
end

local function headers_of(txn, body)
    local headers = {}
    for name, lines in pairs(txn.http:req_get_headers()) do
        if not OWN[name] then
            headers[name] = {}
            for place = 0, #lines do -- HAProxy counts from 0
                headers[name][place + 1] = lines[place]
            end
        end
    end
    headers["content-length"] = { tostring(#body) }
    headers["connection"] = { "close" } -- a kept one may lead to who had the link before
    headers["x-placet-cohort"] = { "mirrored" }
    headers["x-request-id"] = { txn.sf:unique_id() } -- both answers have one prediction id
    return headers
end

local function took(one)
    local now = core.now()
    return (now.sec - one.begun.sec) * 1000 + math.floor((now.usec - one.begun.usec) / 1000)
end

local function tell(one, status)
    core.log(core.notice,
        string.format("m2 0 %s %s %d %d mirrored - -", one.backend, one.revision, status, took(one)))
    one.told = true
end

local function send(method, request, one)
    local sent, answer = pcall(function()
        local client = core.httpclient()
        return client[method](client, request)
    end)
    under_way[one.endpoint][one] = nil
    local status = sent and answer and answer.status or 0
    if not one.told then
        tell(one, status == 0 and 504 or status)
    end
end

-- Tells whether one more would be too many. An answer that comes byte by byte has no timeout, and
-- keeps its place: it is told of when another needs that.
local function full(endpoint)
    local count = 0
    for one in pairs(under_way[endpoint] or {}) do
        count = count + 1
        if not one.told and took(one) > MILLISECONDS then
            tell(one, 504)
        end
    end
    return count >= SHARE
end

local function copy(txn)
    local method, targets = METHODS[txn.sf:method()], txn:get_var("txn.targets")
    local endpoint = txn:get_var("txn.ep")
    if method == nil or targets == nil or full(endpoint) then
        return
    end
    local body, query = txn.sf:req_body() or "", txn.sf:query() or ""
    local path = txn.sf:path() .. (query ~= "" and "?" .. query or "")
    local target = pick(targets)
    local port = string.match(target, "^%d+$")
    local request = {
        url = "http://127.0.0.1" .. (port and ":" .. port or "") .. path,
        dst = not port and "unix@s/" .. target or nil,
        headers = headers_of(txn, body),
        body = body ~= "" and body or nil,
        timeout = MILLISECONDS,
    }
    local one = {
        endpoint = endpoint,
        backend = txn:get_var("txn.mirrored"),
        revision = txn:get_var("txn.copied"),
        begun = core.now(),
    }
    under_way[endpoint] = under_way[endpoint] or {}
    under_way[endpoint][one] = true
    core.register_task(function()
        send(method, request, one)
    end)
end

core.register_action("mirror", { "http-req" }, function(txn)
    pcall(copy, txn)
end)
