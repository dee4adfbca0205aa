"""The node's own certificate: taken when it is whole, refused in words when it is not."""

from pathlib import Path

import pytest

from placet_agent.haproxy.certificate import Certificate, CertificateRefused
from tests.support.certificates import Authority, encrypted


def test_chain_and_key_become_the_one_file_that_haproxy_reads(tmp_path: Path) -> None:
    chain, key, _ = Authority(tmp_path).issue("node")
    pem = Certificate(chain, key).read()
    assert pem.count(b"BEGIN CERTIFICATE") == 1
    assert pem.count(b"BEGIN PRIVATE KEY") == 1


def test_half_a_renewal_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    chain, key, _ = authority.issue("node")
    old = key.read_bytes()
    authority.issue("node")
    key.write_bytes(old)
    with pytest.raises(CertificateRefused, match="no certificate with its key"):
        Certificate(chain, key).read()


@pytest.mark.parametrize("wrong", ["missing", "empty", "locked"])
def test_a_key_that_cannot_be_used_is_refused(tmp_path: Path, wrong: str) -> None:
    chain, key, _ = Authority(tmp_path).issue("node")
    if wrong == "missing":
        key.unlink()
    else:
        key.write_bytes(b"" if wrong == "empty" else encrypted(key, b"a password"))
    with pytest.raises(CertificateRefused, match=r"node\.key"):
        Certificate(chain, key).read()
