"""Connections that end in time: finding the name, connecting, sending and receiving together.

Whatever dials out on somebody's behalf stands over this: HTTP (``placet.kernel.outbound``) and
syslog.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from placet_protocol.networks import is_public, read

NOT_PUBLIC = "it has no address of the public network"
MOST_ADDRESSES = 3  # of one name that are tried
# Look-ups of names under way in one process. The resolver of the system cannot be told to stop: one
# that a name server never answers goes on without us until the resolver gives it up.
MOST_LOOKUPS = 16
_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)
MOST_OF_ONE = 2  # of them for one name: it leaves the rest to others
_asked: Counter[str] = Counter()
_asking = threading.Condition()

Place = tuple[socket.AddressFamily, tuple[Any, ...]]  # as ``socket.connect`` takes it


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an attempt is over, and for how many seconds the other side may be silent before."""

    end: float  # of ``time.monotonic()``
    silent: float

    @classmethod
    def after(cls, seconds: float, *, silent: float) -> "Deadline":
        """Return the one that is so many seconds away."""
        return cls(time.monotonic() + seconds, silent)

    @property
    def over(self) -> bool:
        """Tell whether the time is up."""
        return time.monotonic() >= self.end

    def left(self) -> float:
        """Return for how long to wait for what is next; ``TimeoutError`` when the time is up."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(left, self.silent)


class Wire:
    """A connection of which everything ends by its deadline. All of it may raise ``OSError``."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket, self._deadline = connected, deadline

    def recv(self, most: int) -> bytes:
        """Return what comes next; nothing where the other side has ended the connection."""
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv(most)

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(self._deadline.left())
            rest = rest[self._socket.send(rest) :]

    def end_sending(self) -> None:
        """Tell the other side that nothing more comes."""
        self._socket.shutdown(socket.SHUT_WR)

    def secure(self, trust: ssl.SSLContext, host: str) -> "Wire":
        """Return the connection under TLS, with a certificate for ``host``; ends it otherwise."""
        try:
            self._socket.settimeout(self._deadline.left())
            return Wire(trust.wrap_socket(self._socket, server_hostname=host), self._deadline)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it."""
        self._socket.close()


def connect(
    host: str,
    port: int,
    deadline: Deadline,
    *,
    loopback: bool = False,
    public: bool = False,
) -> Wire:
    """Return a connection to the first of three addresses of ``host`` that answers.

    None has more of the time than leaves as much for each of the others and for what is said then.
    With ``loopback`` none is connected to that is not this machine's own, with ``public`` none that
    is not of the public network: what is asked is the address that is connected to, not one that
    the name had at another look; one that is not found is told in the same words as one that leads
    elsewhere, so that nobody learns which names this network has. Raises ``OSError``, and
    ``UnicodeError`` for a name that no host can have.
    """
    fault = OSError("its name has no address")
    try:
        places = _places(host, port, deadline)[:MOST_ADDRESSES]
    except socket.gaierror:
        if public:
            raise PermissionError(NOT_PUBLIC) from None
        raise
    for waiting, (family, address) in zip(range(len(places), 0, -1), places, strict=True):
        if loopback and not ipaddress.ip_address(address[0]).is_loopback:
            fault = PermissionError("its name leads away from this machine")
            continue
        if public and not _is_public(address[0]):
            fault = PermissionError(NOT_PUBLIC)
            continue
        try:
            return Wire(_connected(family, address, deadline, waiting), deadline)
        except TimeoutError:
            fault = TimeoutError("no address of it answered in time")
        except OSError as error:
            fault = error
    raise fault


def _connected(
    family: socket.AddressFamily, address: tuple[Any, ...], deadline: Deadline, waiting: int
) -> socket.socket:
    """Connect to one address while ``waiting`` wait for their turn, this one among them."""
    whole = deadline.end - time.monotonic()
    share = whole if waiting == 1 else whole / (waiting + 1)
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(min(deadline.left(), max(share, 0.001)))
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _places(host: str, port: int, deadline: Deadline) -> list[Place]:
    """Return the addresses of ``host``, of IPv6 and IPv4 by turns (RFC 8305, section 4), so that a
    network without one of them does not take every place."""
    by_family: dict[socket.AddressFamily, list[Place]] = {}
    for family, _, _, _, address in _looked_up(host, port, deadline):
        by_family.setdefault(family, []).append((family, address))
    turns = chain.from_iterable(zip_longest(*by_family.values()))
    return list(dict.fromkeys(place for place in turns if place is not None))


def _looked_up(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Ask the system for the addresses of ``host``, and wait no longer than the deadline."""
    if _is_address(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    name = host.lower().rstrip(".")
    with _asking:
        if not _asking.wait_for(lambda: _asked[name] < MOST_OF_ONE, deadline.left()):
            raise TimeoutError("its name is being looked up already, without an answer")
        _asked[name] += 1
    if not _lookups.acquire(timeout=deadline.left()):
        _answered(name)
        raise TimeoutError(f"{MOST_LOOKUPS} other names are being looked up without an answer")
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            answer.set_exception(error)
        finally:
            _lookups.release()
            _answered(name)

    try:
        threading.Thread(target=ask, name="look-up", daemon=True).start()
    except RuntimeError as error:  # no thread can be started
        _lookups.release()
        _answered(name)
        raise OSError(str(error)) from None
    try:
        return answer.result(deadline.left())
    except TimeoutError:
        raise TimeoutError("its name was not found in time") from None


def _answered(name: str) -> None:
    with _asking:
        _asked[name] -= 1
        if not _asked[name]:
            del _asked[name]
        _asking.notify_all()


def _is_public(text: str) -> bool:
    try:
        return is_public(read(text))
    except ValueError:  # of this link alone
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
