"""What the first start of a compose installation makes, and what it leaves alone."""

import os
import ssl
import stat
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.certificates import Authority, deployed


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, with a folder of this test's and every group our own."""
    for name in ("secrets", "keys", "tls"):
        (tmp_path / name).mkdir()
    for name, value in (
        ("ETC", str(tmp_path)),
        ("HOST", "placet.example"),
        ("ENDPOINT_HOST", "models.example"),
    ):
        monkeypatch.setenv(f"PLACET_{name}", value)
    module = deployed("setup")
    for group in ("SHARED", "WEB", "NODE", "POSTGRES"):
        monkeypatch.setattr(module, group, os.getgid())
    return module


def everything(folder: Path) -> dict[str, bytes]:
    """Return the content of every file."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_it_makes_what_is_missing_once_for_those_who_read_it(
    setup: ModuleType, tmp_path: Path
) -> None:
    setup.main()
    made = everything(tmp_path)

    assert set(made) == {
        *(
            f"secrets/{place}/placet_{n}"
            for place in ("web", "worker", "owner")
            for n in ("database_url", "broker_url")
        ),
        *(
            f"secrets/{place}/placet_{n}"
            for place in ("web", "owner")
            for n in ("secret_key", "token_key")
        ),
        *(f"secrets/postgres/{n}" for n in ("superuser", "owner", "app")),
        "tls/ca.pem",
        "tls/web.pem",
        "tls/web.key",
        "tls/endpoints.pem",
        "tls/endpoints.key",
    }
    for name in made:
        mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
        assert mode == (0o644 if name.endswith(".pem") else 0o640), name
    assert stat.S_IMODE((tmp_path / "secrets/owner").stat().st_mode) == 0o700
    password = made["secrets/postgres/app"].decode()
    assert len(password) == 64 and password in made["secrets/worker/placet_database_url"].decode()
    assert made["secrets/web/placet_secret_key"] != made["secrets/web/placet_token_key"]
    assert made["secrets/web/placet_secret_key"] == made["secrets/owner/placet_secret_key"]

    setup.main()
    assert everything(tmp_path) == made


def test_the_trials_certificates_are_believed_by_who_trusts_its_authority(
    setup: ModuleType, tmp_path: Path
) -> None:
    setup.main()
    for name, host in (("web", "placet.example"), ("endpoints", "models.example")):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / f"tls/{name}.pem", tmp_path / f"tls/{name}.key")
        client = ssl.create_default_context(cafile=str(tmp_path / "tls/ca.pem"))
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        shake_hands(server, client, host)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(server, client, "other.example")
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(server, ssl.create_default_context(), host)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Do a whole handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(8):
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
    assert ends == []


def test_your_own_files_stay_and_a_missing_one_is_named(setup: ModuleType, tmp_path: Path) -> None:
    own = Authority(tmp_path / "tls")
    for name in ("web", "endpoints"):
        own.issue(name)
    before = everything(tmp_path / "tls")
    setup.main()
    assert everything(tmp_path / "tls") == before

    (tmp_path / "tls/endpoints.pem").unlink()
    with pytest.raises(SystemExit, match=r"no endpoints\.pem"):
        setup.main()
