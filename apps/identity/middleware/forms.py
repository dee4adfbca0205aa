"""Forms with files, which are longer than other bodies: read once it is known who sends one."""

from django.http import HttpRequest, UnreadablePostError

from placet.kernel.actor import ANONYMOUS, Actor
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput, NotSignedIn

BROKEN_OFF = "The form broke off on its way: nothing was done, send it again"


def read_long_form(request: HttpRequest, actor: Actor) -> None:
    """Read a body that is longer than usual and may be, whole, or refuse it: a stranger's unread.

    Others are here before the application begins, the chunk of an upload is read by what keeps it.
    Half a form would pass for a whole one.
    """
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length <= config().max_body_bytes or request.content_type != "multipart/form-data":
        return
    if actor is ANONYMOUS:
        raise NotSignedIn
    try:
        came = request.read(length)
    except UnreadablePostError:
        came = b""
    if len(came) < length:
        raise InvalidInput(BROKEN_OFF)
    request._body = came  # where forms are read from
