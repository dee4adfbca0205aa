"""Calls to others end, whatever the other side does."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from placet.kernel import connecting, outbound
from placet.kernel.outbound import OutboundFailed, post
from tests.support.certificates import Authority
from tests.support.names import names, swallowing
from tests.support.processes import until
from tests.support.receivers import dripping, https

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"


@pytest.fixture
def trickling(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that says so much at once, and then a byte every twentieth of a second."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            wire, _ = server.accept()
            with wire:
                wire.recv(65536)
                wire.sendall(request.param)
                while not over.wait(0.05):
                    try:
                        wire.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "trickling", [HEAD + b"X-A: ", HEAD + b"\r\n"], indirect=True, ids=["head", "body"]
)
def test_an_answer_in_small_pieces_takes_no_longer_than_it_may(trickling: str) -> None:
    begun = time.monotonic()
    with pytest.raises(outbound.OutboundFailed, match="did not come to its end in time"):
        outbound.post(trickling, body=b"", headers={}, timeout=5, whole=0.5)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "trickling", [HEAD + b"Content-Encoding: gzip, gzip\r\n\r\n"], indirect=True, ids=["gzip"]
)
def test_what_is_packed_is_not_unpacked(trickling: str) -> None:
    """It is asked to come as it is: a few hundred bytes may be gigabytes."""
    assert "which was not asked for" in fault(trickling)[0]


def fault(url: str, **terms: float) -> tuple[str, float]:
    """Return why a call failed, and after how many seconds."""
    begun = time.monotonic()
    with pytest.raises(OutboundFailed) as failed:
        post(url, body=b"x", headers={}, **terms)  # type: ignore[arg-type]
    return str(failed.value), time.monotonic() - begun


def test_a_name_with_many_addresses_takes_no_longer_than_it_may() -> None:
    with names() as told, swallowing(5) as dead:
        told.lead["siem.test"] = dead
        said, seconds = fault("http://siem.test/", timeout=2, whole=1)
    assert seconds < 2.5
    assert said == "The call failed: no connection (no address of it answered in time)"


def test_a_name_that_is_never_found_takes_no_longer_than_it_may() -> None:
    with names() as told:
        told.silent.add("siem.test")
        said, seconds = fault("http://siem.test/", timeout=2, whole=0.5)
    assert seconds < 5
    assert said == "The call failed: no connection (its name was not found in time)"


def test_who_answers_behind_two_that_do_not_is_reached() -> None:
    with names() as told, swallowing(2) as dead, https(None) as receiver:
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        told.lead["siem.test"] = [*dead, ("127.0.0.1", port)]
        assert post("http://siem.test/in", body=b"x", headers={}, timeout=3, whole=3).status == 200
    assert receiver.bodies == [b"x"]
    assert told.asked["siem.test"] == 1


def test_no_more_than_three_addresses_of_a_name_are_tried() -> None:
    with names() as told, https(None) as receiver, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        told.lead["siem.test"] = [
            *((f"127.0.0.{last}", closed.getsockname()[1]) for last in (2, 3, 4)),
            ("127.0.0.1", port),
        ]
        assert "Connection refused" in fault("http://siem.test/in", timeout=3, whole=3)[0]
    assert receiver.headers == []


def test_a_name_that_is_never_found_leaves_look_ups_to_others() -> None:
    with names() as told:
        told.silent.add("a.test")
        for _ in range(2):
            assert "not found in time" in fault("http://a.test/", timeout=2, whole=0.2)[0]
        for name in ("a.test", "A.test", "a.test."):
            assert "looked up already" in fault(f"http://{name}/", timeout=2, whole=0.2)[0]
        assert told.asked == {"a.test": 2}
        assert "Connection refused" in fault("http://localhost:9/", timeout=2)[0]
        told.over.set()
        until(lambda: not connecting._asked, what="the look-ups")
    assert "looked up already" not in fault("http://a.test/", timeout=2)[0]


def test_a_name_that_is_found_is_found_by_all_who_ask_at_once() -> None:
    with names() as told, ThreadPoolExecutor(8) as many:
        told.silent.add("a.test")
        asked = [many.submit(fault, "http://a.test/", timeout=5, whole=5) for _ in range(8)]
        until(lambda: told.asked["a.test"] == 2, what="the first look-ups")
        told.over.set()
        assert {one.result()[0] for one in asked} == {asked[0].result()[0]}
        assert "resolution" in asked[0].result()[0]
        assert told.asked["a.test"] == 8


def test_of_names_that_are_never_found_so_many_are_looked_up_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "_lookups", threading.BoundedSemaphore(2))
    with names() as told:
        told.silent |= {"a.test", "b.test", "c.test"}
        for name in ("a", "b"):
            assert "not found in time" in fault(f"http://{name}.test/", timeout=2, whole=0.2)[0]
        said, seconds = fault("http://c.test/", timeout=2, whole=0.2)
        assert "other names are being looked up without an answer" in said
        assert seconds < 2
        assert told.asked == {"a.test": 1, "b.test": 1}
        assert "refused" in fault("http://127.0.0.1:9/", timeout=2)[0], "an address is no name"
        told.over.set()
        until(lambda: connecting._lookups._value == 2, what="both look-ups")
    assert "Connection refused" in fault("http://localhost:9/", timeout=2)[0]


def test_addresses_of_both_kinds_are_tried_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    found = [(six, 1, 6, "", (f"fd00::{n}", 443, 0, 0)) for n in (1, 2, 3)]
    found += [(four, 1, 6, "", ("192.0.2.1", 443))]  # type: ignore[list-item]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: found)
    places = connecting._places("siem.test", 443, connecting.Deadline.after(5, silent=5))
    assert [address[0] for _, address in places] == ["fd00::1", "192.0.2.1", "fd00::2", "fd00::3"]


def test_what_is_for_this_machine_alone_goes_to_no_other_whatever_its_name_says() -> None:
    with names() as told, https(None) as receiver:
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        told.lead["localhost"] = [("192.0.2.1", port)]
        with pytest.raises(OutboundFailed, match="leads away from this machine"):
            post(f"http://localhost:{port}/", body=b"x", headers={}, loopback=True)
        told.lead["localhost"] = [("192.0.2.1", port), ("127.0.0.1", port)]
        url = f"http://localhost:{port}/in"
        assert post(url, body=b"x", headers={}, loopback=True).status == 200
    assert told.asked["localhost"] == 2, "what was judged is what is connected to"


def test_a_certificate_is_asked_for_the_name_and_not_for_its_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trust = outbound.trusting(authority.ca)
    with names() as told, https(authority) as receiver:
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        told.lead["siem.test"] = [("127.0.0.1", port)]
        assert post(receiver.url, body=b"x", headers={}, trust=trust).status == 200
        with pytest.raises(OutboundFailed, match="certificate verify failed: Hostname mismatch"):
            post(f"https://siem.test:{port}/in", body=b"x", headers={}, trust=trust)


def test_a_handshake_in_small_pieces_takes_no_longer_than_it_may() -> None:
    with dripping(b"\x16\x03\x03\x40\x00") as receiver:
        said, seconds = fault(f"https://127.0.0.1:{receiver.port}/", timeout=5, whole=0.5)
    assert seconds < 3
    assert said.startswith("The call failed: no connection (")


def test_a_connection_that_breaks_is_told_in_the_words_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def break_off() -> None:
            connection, _ = server.accept()
            heard = b""
            while not heard.endswith(b"\r\n\r\nx"):  # all: else it is a write that fails first
                heard += connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        thread = threading.Thread(target=break_off)
        thread.start()
        said, _ = fault(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=5)
        thread.join()
    assert said == "The call failed: the connection broke (Connection reset by peer)"
