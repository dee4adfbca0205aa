-- Answers for a replica that closed a connection and had not answered, or said something else first.
-- Where that connection had carried a request before, HAProxy would close the client's too, and log
-- nothing: the client is to try again. But nobody knows what the replica did, and whoever counts
-- must hear of it.

local BAD_GATEWAY, TIMEOUT = ...
local ANSWERS = {
    ["502"] = { reason = "Bad Gateway", body = BAD_GATEWAY },
    ["504"] = { reason = "Gateway Timeout", body = TIMEOUT },
}

core.register_action("broken", { "tcp-res" }, function(txn, status)
    local answer = ANSWERS[status]
    local reply = txn:reply({ status = tonumber(status), reason = answer.reason })
    reply:add_header("content-type", "application/problem+json")
    reply:add_header("cache-control", "no-store")
    reply:set_body(answer.body)
    txn:done(reply)
end, 1)
