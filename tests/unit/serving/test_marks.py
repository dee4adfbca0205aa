"""Which destinations are marked for whoever decides."""

import pytest

from apps.serving.marks import marks


@pytest.mark.parametrize(
    ("to", "mark"),
    [
        ("169.254.169.254:80", "a cloud's metadata service"),
        ("168.63.129.16:80", "a cloud's metadata service"),
        ("[fd00:ec2::254]:80", "a cloud's metadata service"),
        ("[64:ff9b::a9fe:a9fe]:80", "a cloud's metadata service"),
        ("[2002:a9fe:a9fe::1]:80", "a cloud's metadata service"),
        ("169.254.7.7:1", "a link-local address"),
        ("[fe80::1]:1", "a link-local address"),
        ("10.0.0.5:5432", "a private address"),
        ("172.16.0.1:5432", "a private address"),
        ("192.168.1.1:5432", "a private address"),
        ("100.64.0.1:5432", "a private address"),
        ("[fd12::1]:5432", "a private address"),
        ("models.example:443", "the target's own host"),
    ],
)
def test_what_no_public_network_has_is_marked(to: str, mark: str) -> None:
    assert marks(["db.example:5432", to], "https://models.example:8443") == [f"{to} is {mark}"]


@pytest.mark.parametrize("to", ["db.example:5432", "8.8.8.8:53", "[2606:4700::1111]:443"])
def test_what_is_public_or_a_name_is_not(to: str) -> None:
    assert marks([to]) == []
