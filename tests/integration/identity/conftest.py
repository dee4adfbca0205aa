"""What tests about access share."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.identity.identity_provider import Provider, running


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    """A company's identity provider, which Placet is told of."""
    with running() as found:
        settings.SOCIALACCOUNT_PROVIDERS = {
            "openid_connect": {
                "OAUTH_PKCE_ENABLED": True,
                "APPS": [
                    {
                        "provider_id": "oidc",
                        "name": "Company",
                        "client_id": "placet",
                        "secret": "s",
                        "settings": {"server_url": found.address},
                    }
                ],
            }
        }
        yield found
