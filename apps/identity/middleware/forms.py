"""Forms with files, which are longer than other bodies: read once it is known who sends one, and
few at a time, because each is in memory several times over until it is answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from django.http import HttpRequest, UnreadablePostError

from placet.kernel.actor import ANONYMOUS, Actor
from placet.kernel.config import config
from placet.kernel.problems import Busy, InvalidInput, NotSignedIn

BROKEN_OFF = "The form broke off on its way: nothing was done, send it again"
CROWDED = "Others are sending files at this moment: nothing was done, send yours again"
AT_ONCE, WAITING, SECONDS = 3, 3, 10.0  # in one process: forms, who waits for them, and how long


class Turns:
    """Who sends a long form in this process: so many at once, and of one person one. Few others
    wait, not for long: each of them keeps a thread from the rest."""

    def __init__(self) -> None:
        self._changed, self._sending, self._waiting = Condition(), set[str](), 0

    @contextmanager
    def of(self, person: str) -> Iterator[None]:
        """Hold a person's turn, or refuse it."""
        with self._changed:
            self._wait_for(person)
            self._sending.add(person)
        try:
            yield
        finally:
            with self._changed:
                self._sending.discard(person)
                self._changed.notify_all()

    def _wait_for(self, person: str) -> None:
        if self._is_free(person):
            return
        if self._waiting >= WAITING:
            raise Busy(CROWDED)
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._is_free(person), SECONDS):
                raise Busy(CROWDED)
        finally:
            self._waiting -= 1

    def _is_free(self, person: str) -> bool:
        return len(self._sending) < AT_ONCE and person not in self._sending


turns = Turns()


@contextmanager
def long_form(request: HttpRequest, actor: Actor) -> Iterator[None]:
    """Read a body that is longer than usual and may be, whole, and hold a turn until it is
    answered; or refuse it: a stranger's unread.

    Others are here before the application begins, the chunk of an upload is read by what keeps it.
    Half a form would pass for a whole one.
    """
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length <= config().max_body_bytes or request.content_type != "multipart/form-data":
        yield
        return
    if actor is ANONYMOUS:
        raise NotSignedIn
    with turns.of(actor.accountable):
        _read(request, length)
        yield


def _read(request: HttpRequest, length: int) -> None:
    try:
        came = request.read(length)
    except UnreadablePostError:
        came = b""
    if len(came) < length:
        raise InvalidInput(BROKEN_OFF)
    request._body = came  # where forms are read from
