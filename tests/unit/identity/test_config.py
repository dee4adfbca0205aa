"""Settings that would be dangerous are refused before anything starts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from placet.kernel.config import EMBEDDED_SECRET, Config

GOOD: dict[str, Any] = {
    "mode": "production",
    "secret_key": "3mJx8Qv2LrW9tYp6ZkNc4BdHs7FgUa5TeXi0OoRyPqMwVzCbDl",
    "token_key": "Lq7Zr2Wm9Xc4Vb6Nn8Aa1Ss3Dd5Ff7Gg9Hh2Jj4Kk6Pp8Oo0Ii",
    "database_url": "postgresql://placet@db/placet",
    "broker_url": "redis://broker/0",
    "public_url": "https://placet.example",
}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PLACET_"):
            monkeypatch.delenv(name)


def test_good_settings_start() -> None:
    assert Config(**GOOD).mode == "production"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"secret_key": "short"}, "PLACET_SECRET_KEY must be at least 50"),
        ({"secret_key": EMBEDDED_SECRET}, "PLACET_SECRET_KEY"),
        ({"token_key": EMBEDDED_SECRET}, "PLACET_TOKEN_KEY"),
        ({"token_key": "a" * 80}, "PLACET_TOKEN_KEY"),
        ({"token_key": GOOD["secret_key"]}, "must differ"),
        ({"database_url": ""}, "PLACET_DATABASE_URL must be set"),
        ({"broker_url": ""}, "PLACET_BROKER_URL must be set"),
        ({"public_url": "http://placet.example"}, "https://"),
        ({"endpoint_url": "https://placet.example:8443"}, "PLACET_ENDPOINT_URL must have"),
        ({"endpoint_url": "https://models.placet.example"}, "PLACET_ENDPOINT_URL must have"),
        ({"endpoint_url": "https://Models.Placet.Example./v1"}, "PLACET_ENDPOINT_URL must"),
        ({"public_url": "https://pla\u00e7et.example"}, "PLACET_PUBLIC_URL must .* xn--"),
        ({"endpoint_url": "https://mod\u00e8les.example"}, "PLACET_ENDPOINT_URL must .* xn--"),
        ({"public_url": "https://placet.example.:8443"}, "PLACET_PUBLIC_URL must .* dot"),
        ({"oidc_issuer": "http://login.example"}, "PLACET_OIDC_ISSUER must be an https://"),
        ({"allowed_hosts": "*"}, "PLACET_ALLOWED_HOSTS must name your hosts"),
        ({"debug": True}, "PLACET_DEBUG must be off"),
        ({"tls_cert": "/etc/placet/web.pem"}, "PLACET_TLS_CERT and PLACET_TLS_KEY must both"),
        ({"tls_key": "/etc/placet/web.key"}, "PLACET_TLS_CERT and PLACET_TLS_KEY must both"),
    ],
)
def test_production_refuses_a_weak_setting_and_names_it(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("public", "endpoints"),
    [
        ("https://placet.example", "https://models.example"),
        ("https://placet.example", "https://notplacet.example"),
        ("https://placet.models.example", "https://models.example"),
        ("https://localhost", "https://localhost:8443"),
    ],
)
def test_models_at_another_host_are_taken(public: str, endpoints: str) -> None:
    assert Config(**{**GOOD, "public_url": public, "endpoint_url": endpoints}).endpoint_url


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://placet.example", "https://placet.example"),
        ("https://Placet.Example:443/", "https://placet.example"),
        ("https://placet.example:8443/placet/", "https://placet.example:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://xn--plaet-yra.example", "https://xn--plaet-yra.example"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_the_origin_of_our_pages_is_written_as_browsers_write_it(address: str, origin: str) -> None:
    assert Config(public_url=address).public_origin == origin


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ValidationError) as refusal:
        Config(mode="production")
    for name in ("SECRET_KEY", "TOKEN_KEY", "DATABASE_URL", "BROKER_URL", "PUBLIC_URL"):
        assert name in str(refusal.value)


def test_a_refusal_does_not_repeat_the_secret() -> None:
    with pytest.raises(ValidationError) as refusal:
        Config(**{**GOOD, "secret_key": "hunter2-hunter2"})
    assert "hunter2" not in str(refusal.value)


def test_the_embedded_mode_starts_with_nothing_set() -> None:
    assert Config().mode == "embedded"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert GOOD["secret_key"] not in repr(Config(**GOOD))


@pytest.mark.parametrize("process", ["control", "build"])
def test_a_worker_has_secrets_of_its_own(
    process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", process)
    known = {name: GOOD[name] for name in ("secret_key", "token_key", "database_url")}
    (tmp_path / "embedded.json").write_text(json.dumps(known))
    found = Config(data_dir=tmp_path)
    assert found.database_url == GOOD["database_url"]
    for secret in (found.secret_key, found.token_key):
        assert secret.get_secret_value() not in (*known.values(), EMBEDDED_SECRET)
    monkeypatch.setenv("PLACET_PROCESS", "web")
    assert Config(data_dir=tmp_path).secret_key.get_secret_value() == GOOD["secret_key"]


def test_a_worker_in_production_starts_without_the_secrets_of_web_and_refuses_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "control")
    own = {name: value for name, value in GOOD.items() if name not in ("secret_key", "token_key")}
    assert len(Config(**own).secret_key.get_secret_value()) > 50
    with pytest.raises(ValidationError, match="PLACET_SECRET_KEY must not be set for a worker"):
        Config(**own, secret_key=GOOD["secret_key"])
