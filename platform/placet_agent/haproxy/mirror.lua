-- Copies requests to a replica of the candidate. Nobody waits for its answer, and nobody gets it.
-- What goes wrong here ends here: a copy that cannot be made or sent is none.

local MOST = 32 -- under way at once, of all endpoints; what comes meanwhile is not copied
local ENDPOINTS = tonumber((...)) -- whose requests are copied
local SHARE = math.max(1, MOST // ENDPOINTS) -- of one: a candidate that hangs takes no other's
local MILLISECONDS = 10000
local METHODS = { GET = "get", HEAD = "head", POST = "post", PUT = "put", DELETE = "delete" }
local OWN = { ["content-length"] = true, ["transfer-encoding"] = true, ["connection"] = true,
    ["expect"] = true, ["host"] = true, ["x-request-id"] = true, ["x-placet-cohort"] = true }

local under_way, turn = {}, 0 -- by endpoint

-- A replica's slot leads to its socket; a port is one that an older agent started.
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
    headers["connection"] = { "close" } -- a kept one may lead to who had the slot before
    headers["x-placet-cohort"] = { "mirrored" }
    headers["x-request-id"] = { txn.sf:unique_id() } -- both answers have one prediction id
    return headers
end

local function send(method, request, endpoint, backend, revision)
    local begun = core.now()
    local sent, answer = pcall(function()
        local client = core.httpclient()
        return client[method](client, request)
    end)
    under_way[endpoint] = under_way[endpoint] - 1
    local ended = core.now()
    local took = (ended.sec - begun.sec) * 1000 + math.floor((ended.usec - begun.usec) / 1000)
    local status = sent and answer and answer.status or 0
    if status == 0 then
        status = 504
    end
    core.log(core.notice, string.format("m2 0 %s %s %d %d mirrored - -", backend, revision, status, took))
end

local function copy(txn)
    local method, targets = METHODS[txn.sf:method()], txn:get_var("txn.targets")
    local endpoint = txn:get_var("txn.ep")
    if method == nil or targets == nil or (under_way[endpoint] or 0) >= SHARE then
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
    local backend, revision = txn:get_var("txn.mirrored"), txn:get_var("txn.copied")
    under_way[endpoint] = (under_way[endpoint] or 0) + 1
    core.register_task(function()
        send(method, request, endpoint, backend, revision)
    end)
end

core.register_action("mirror", { "http-req" }, function(txn)
    pcall(copy, txn)
end)
