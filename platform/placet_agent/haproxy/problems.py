"""The answers that HAProxy gives by a rule, as problem details."""

import json

from placet_agent.haproxy import quoting


def problem(status: int, code: str, title: str, detail: str) -> str:
    """Return a problem body; the request id is filled in by HAProxy."""
    text = json.dumps({"type": "about:blank", "title": title, "status": status, "code": code})
    return f'{text[:-1]}, "detail": {json.dumps(detail)}, "request_id": "%ID"}}'


def refuse(
    status: int, body: str, condition: str, rule: str = "http-request", also: str = ""
) -> str:
    """Return a rule that answers with a problem; ``also`` are further headers."""
    return (
        f"{rule} return status {status} content-type application/problem+json "
        f"hdr Cache-Control no-store hdr X-Request-Id %ID {also and f'{also} '}"
        f"lf-string {quoting.word(body)} if {condition}"
    )
