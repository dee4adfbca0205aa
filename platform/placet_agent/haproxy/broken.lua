-- Answers for a replica that closed a connection and had not answered. Where that connection had
-- carried a request before, HAProxy would close the client's too, and log nothing: the client is to
-- try again. But nobody knows what the replica did, and whoever counts must hear of it.

local BODY = (...)

core.register_action("broken", { "tcp-res" }, function(txn)
    local reply = txn:reply({ status = 502, reason = "Bad Gateway" })
    reply:add_header("content-type", "application/problem+json")
    reply:add_header("cache-control", "no-store")
    reply:set_body(BODY)
    txn:done(reply)
end)
