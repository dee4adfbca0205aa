-- Answers for a replica that closed a connection and had not answered, or said something else first.
-- Where that connection had carried a request before, HAProxy would close the client's too, and log
-- nothing: the client is to try again. But nobody knows what the replica did, and whoever counts
-- must hear of it.

local BAD_GATEWAY, TIMEOUT, OVER_TIME, BUSY = ...
local ANSWERS = {
    ["502"] = { status = 502, reason = "Bad Gateway", body = BAD_GATEWAY },
    ["504"] = { status = 504, reason = "Gateway Timeout", body = TIMEOUT },
    ["over_time"] = { status = 504, reason = "Gateway Timeout", body = OVER_TIME },
    ["busy"] = { status = 503, reason = "Service Unavailable", body = BUSY, retry = "1" },
}

core.register_action("broken", { "tcp-res" }, function(txn, name)
    local answer = ANSWERS[name]
    local reply = txn:reply({ status = answer.status, reason = answer.reason })
    reply:add_header("content-type", "application/problem+json")
    reply:add_header("cache-control", "no-store")
    if answer.retry then
        reply:add_header("retry-after", answer.retry)
    end
    reply:set_body(answer.body)
    txn:done(reply)
end, 1)
