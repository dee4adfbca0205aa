"""Where no webhook gets: this machine, its network, a cloud's metadata, by whatever name; and none
holds a worker for longer than it may."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apps.integrations import calling
from apps.integrations.models import WebhookAttempt, WebhookDelivery
from apps.integrations.standing import fault_words
from placet.kernel import connecting
from placet.kernel.config import config
from tests.integration.integrations.conftest import Hooks
from tests.support.certificates import Authority
from tests.support.names import Names, names
from tests.support.receivers import Receiver, Reply, https, server_side

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
SAID = "it has no address of the public network"


@pytest.fixture
def strict(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Webhooks of an installation that allows no host to be private."""
    monkeypatch.setattr(config(), "webhook_hosts", "")
    return hooks


@pytest.fixture
def ears() -> Iterator[list[socket.socket]]:
    """Sockets of this machine, of IPv4 and IPv6, at one port."""
    with socket.create_server(("127.0.0.1", 0)) as four:
        port = four.getsockname()[1]
        with socket.create_server(("::1", port), family=socket.AF_INET6) as six:
            yield [four, six]


def heard(ears: list[socket.socket]) -> bool:
    """Tell whether anybody connected."""
    for one in ears:
        one.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            one.accept()
            return True
    return False


def last() -> WebhookDelivery:
    return WebhookDelivery.objects.latest("pk")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "224.0.0.1",
    ],
)
def test_no_address_of_ours_is_connected_to_however_it_is_written(
    strict: Hooks, ears: list[socket.socket], host: str
) -> None:
    port = ears[0].getsockname()[1]
    strict.hook(f"https://{host}:{port}/in", "log")
    strict.go()
    row = last()
    assert (row.state, row.status) == ("waiting", 0)
    assert not heard(ears)
    assert row.detail == SAID or row.fault == "no_host"


@contextmanager
def leading(*addresses: str, port: int) -> Iterator[Names]:
    """Have a name lead somewhere."""
    with names() as told:
        told.lead["hooks.test"] = [(address, port) for address in addresses]
        yield told


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254"])
def test_no_name_leads_there(strict: Hooks, ears: list[socket.socket], address: str) -> None:
    port = ears[0].getsockname()[1]
    strict.hook(f"https://hooks.test:{port}/in", "log")
    with leading(address, port=port):
        strict.go()
    assert last().detail == SAID
    assert not heard(ears)


def test_a_name_of_this_network_alone_and_one_that_there_is_not_are_told_alike(
    strict: Hooks,
) -> None:
    with names() as told:
        told.lead["inside.test"] = [("10.1.2.3", 443)]
        told.silent.add("nowhere.test")
        told.over.set()
        for host in ("inside.test", "nowhere.test"):
            strict.hook(f"https://{host}/in", "log", name=host.partition(".")[0])
        strict.go()
    assert {row.detail for row in WebhookDelivery.objects.all()} == {SAID}


def test_a_name_that_leads_elsewhere_at_the_next_look_is_judged_by_what_is_connected_to(
    strict: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def rebinding(host: str, port: int, *rest: object, **more: object) -> list[object]:
        looks.append(host)
        address = "93.184.216.34" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    strict.hook("https://hooks.test:8443/in", "log")
    dialled: list[str] = []

    def nobody(family: object, address: tuple[str, int], *rest: object) -> None:
        dialled.append(address[0])
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(connecting, "_connected", nobody)
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    strict.go()
    strict.later(seconds=10)
    assert len(looks) == 4, "each attempt looks once, and connects to what it saw"
    assert dialled == ["93.184.216.34"]
    assert last().detail == SAID


def test_of_several_addresses_none_of_ours_is_tried(
    strict: Hooks, ears: list[socket.socket]
) -> None:
    port = ears[0].getsockname()[1]
    strict.hook(f"https://hooks.test:{port}/in", "log")
    with leading("127.0.0.1", "192.0.2.1", "10.0.0.1", port=port):
        strict.go()
    assert last().detail == SAID
    assert not heard(ears)


def test_a_host_that_was_allowed_by_name_is_reached(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.hook(receiver.url.replace("localhost", "LOCALHOST"), "log")
    hooks.go()
    assert last().state == "delivered"
    hooks.hook(receiver.url.replace("localhost", "127.0.0.1"), "log", name="other")
    hooks.go()
    assert last().detail == SAID, "the address of a name that is allowed is not allowed itself"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    hooks: Hooks, receiver: Receiver, authority: Authority, status: int
) -> None:
    with https(authority) as other:
        hooks.hook(receiver.url, "log")
        receiver.always = (status, {"Location": other.url}, b"")
        hooks.go()
        assert receiver.headers and not other.headers
    said = f"It answers {status}, a redirect, which is not followed"
    assert {fault_words(row) for row in WebhookAttempt.objects.all()} == {said}


@contextmanager
def talking(authority: Authority, *pieces: bytes, every: float) -> Iterator[str]:
    """Have a receiver that says the first piece, and then the last one again and again."""
    over, context = threading.Event(), server_side(authority)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    wire, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(wire,), daemon=True).start()

        def talk(wire: socket.socket) -> None:
            with (
                contextlib.suppress(OSError),
                contextlib.closing(wire),
                context.wrap_socket(wire, server_side=True) as told,
            ):
                told.recv(65536)
                told.sendall(pieces[0])
                while not over.wait(every):
                    told.sendall(pieces[-1])

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"https://localhost:{listening.getsockname()[1]}/in"
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


OK_HEAD = b"HTTP/1.1 200 OK\r\n"


ENDLESS = (
    OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    b"10000\r\n" + b"x" * 65536 + b"\r\n",
)


def test_what_was_taken_is_delivered_however_much_the_receiver_says_to_it(
    hooks: Hooks, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "TIMEOUT", 5.0)
    with talking(authority, *ENDLESS, every=0.0) as url:
        hooks.hook(url, "log")
        hooks.go()
    assert {row.state for row in WebhookDelivery.objects.all()} == {"delivered"}
    assert {row.answer for row in WebhookAttempt.objects.all()} == {"x" * calling.KEPT_ANSWER}


def test_an_answer_that_is_packed_is_not_read_and_its_status_counts(
    hooks: Hooks, receiver: Receiver
) -> None:
    hooks.hook(receiver.url, "log")
    receiver.always = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b" * 10)
    hooks.go()
    assert {row.state for row in WebhookDelivery.objects.all()} == {"delivered"}
    assert {(row.status, row.answer) for row in WebhookAttempt.objects.all()} == {(200, "")}


@pytest.mark.parametrize(
    ("pieces", "every", "faults"),
    [
        ((OK_HEAD + b"X-Slow: ", b"y"), 0.05, {"late"}),
        ((OK_HEAD + b"Content-Length: 1000\r\n\r\n", b"x"), 0.05, {"late"}),
        ((b"", b"\r\n"), 0.05, {"late", "silent", "other"}),
    ],
    ids=["slow head", "slow body", "no answer"],
)
def test_one_that_never_ends_has_its_time(
    hooks: Hooks,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    pieces: tuple[bytes, ...],
    every: float,
    faults: set[str],
) -> None:
    monkeypatch.setattr(calling, "TIMEOUT", 0.5)
    with talking(authority, *pieces, every=every) as url:
        hooks.hook(url, "log")
        begun = time.monotonic()
        hooks.go()
        took = time.monotonic() - begun
    rows = list(WebhookDelivery.objects.all())
    assert len(rows) == 2 and {row.state for row in rows} == {"waiting"}
    assert {row.fault for row in rows} <= faults
    assert took < 6, "both at the same time"


def test_one_that_hangs_does_not_hold_up_the_others(
    hooks: Hooks, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "TIMEOUT", 1.0)
    take = Receiver.take
    with https(authority) as receiver:
        hung = threading.Event()

        def slow(told: Receiver, headers: dict[str, str], body: bytes) -> Reply:
            if b'"dev.placet.webhook.added.v1"' in body:
                hung.wait(10)
            return take(told, headers, body)

        monkeypatch.setattr(Receiver, "take", slow)
        hooks.hook(receiver.url, "log")
        hooks.go()
        hung.set()
    states = dict(WebhookDelivery.objects.values_list("kind", "state"))
    assert states == {"webhook.added.v1": "waiting", "webhook.enabled.v1": "delivered"}
