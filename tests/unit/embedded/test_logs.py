"""What stands in the server's own log, which many people may read."""

import pytest

from placet.logs import cut_addresses


@pytest.mark.parametrize(
    ("request_line", "logged"),
    [
        ("GET /accounts/password/reset/key/abc-def123/", "GET /accounts/password/reset/…"),
        (
            "GET /accounts/oidc/corp/login/callback/?code=s3cret&state=x",
            "GET /accounts/oidc/corp/…",
        ),
        ("POST /accounts/login/?next=/models/", "POST /accounts/login/…"),
        ("POST /accounts/login/", "POST /accounts/login/"),
        ("GET /api/v1/models?q=accounts/x", "GET /api/v1/models?q=accounts/x"),
    ],
)
def test_no_key_and_no_code_that_signs_somebody_in_is_logged(
    request_line: str, logged: str
) -> None:
    told = cut_addresses(None, "", {"event": "request_finished", "request": request_line})
    assert told["request"] == logged
