"""The long poll: a request that waits until the state of its target is another one."""

import time

from django.db import connection

from apps.serving.desired import CHANNEL
from apps.serving.models import DesiredState

MAX_WAIT = 25.0
LOOK_EVERY = 2.0  # a notification wakes us at once; this is for one that was lost


def wait_for_state(target_id: str, known: tuple[int, int], seconds: float) -> str | None:
    """Return the signed state as soon as it is not the ``known`` (epoch, number), else ``None``.

    Listens before it looks, so that nothing signed in between is missed.
    """
    deadline = time.monotonic() + min(max(seconds, 0.0), MAX_WAIT)
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    try:
        while True:
            if found := _other_state(target_id, known):
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            _sleep(target_id, min(left, LOOK_EVERY))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"UNLISTEN {CHANNEL}")


def _other_state(target_id: str, known: tuple[int, int]) -> str | None:
    row = (
        DesiredState.objects.filter(target=target_id)
        .exclude(envelope="")
        .values_list("epoch", "number", "envelope")
        .first()
    )
    if row is None or (row[0], row[1]) == known:
        return None
    return row[2]


def _sleep(target_id: str, seconds: float) -> None:
    """Sleep until a state of ``target_id`` is signed, ``seconds`` at most."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        notices = list(connection.connection.notifies(timeout=left, stop_after=1))
        if any(notice.payload == target_id for notice in notices):
            return
