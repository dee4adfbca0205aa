"""Fetches the values of secrets that replicas are to have, in the background; says what lacks."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from placet_agent.client import Client, Rejected, Unreachable
from placet_agent.downloads.preparer import Preparation
from placet_agent.state.secret_files import SecretFiles, SecretMissing
from placet_protocol.node_secrets import SecretPlace
from placet_protocol.state import DesiredEndpoint, DesiredRevision

log = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds until a value is asked for again


def places_of(
    endpoint: DesiredEndpoint, revision: DesiredRevision, named: Mapping[str, str]
) -> dict[str, SecretPlace]:
    """Return where the secrets of a revision are, by the files of its replicas.

    ``named`` are the names that its permit has. Project and environment are those that the permit
    was checked against: so nothing else opens. What has no value in the state is left out.
    """
    return {
        file: SecretPlace(endpoint.project, endpoint.environment, name, ref.value)
        for file, name in named.items()
        if (ref := revision.secrets.get(name)) is not None
    }


class SecretSupply:
    """Keeps the values that are wanted, sealed, and no others. One is fetched at a time."""

    def __init__(self, client: Client, secrets: SecretFiles, wake: Callable[[], None]) -> None:
        self.client, self.secrets, self.wake = client, secrets, wake
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="secrets")
        self._tries: dict[SecretPlace, Preparation] = {}
        self._wanted: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def beside(
        self,
        progress: Preparation,
        endpoint: DesiredEndpoint,
        revision: DesiredRevision,
        named: Mapping[str, str],
    ) -> Preparation:
        """Return how far a revision is, secrets included: it has none in most cases."""
        places = places_of(endpoint, revision, named)
        self._wanted |= {place.value for place in places.values()}
        if lacking := sorted(set(named.values()) - set(revision.secrets)):
            why = f"the secret {lacking[0]} has no value: set it"
            return Preparation(running=progress.running, failure=progress.failure or why)
        missing = [place for place in places.values() if not self.secrets.has(place)]
        asked = [self._ask(revision.id, place) for place in missing]
        return asked[0] if asked and progress.ready else progress

    def forget_others(self) -> None:
        """Remove what nobody asked for since the last call."""
        wanted, self._wanted = self._wanted, set()
        self.secrets.forget_others(wanted)
        with self._lock:
            self._tries = {p: t for p, t in self._tries.items() if p.value in wanted}

    def _ask(self, revision: str, place: SecretPlace) -> Preparation:
        with self._lock:
            progress = self._tries.setdefault(place, Preparation(note=f"fetching {place.name}"))
            if not progress.running and time.monotonic() >= progress.not_before:
                progress.running = True
                self._pool.submit(self._work, revision, place, progress)
            return progress

    def _work(self, revision: str, place: SecretPlace, progress: Preparation) -> None:
        note = ""
        try:
            self.secrets.keep(place, self.client.secret(revision, place.name, place.value))
        except (Unreachable, Rejected, SecretMissing, OSError) as error:
            note = f"the secret {place.name} is not here yet: {error}"
        except Exception as error:
            log.exception("the secret %s cannot be fetched", place.name)
            note = f"the secret {place.name} is not here: {type(error).__name__}"
        with self._lock:
            progress.running, progress.note = False, note
            progress.tries += 1
            wait = min(FIRST_WAIT * 2.0**progress.tries, LONGEST_WAIT) if note else 0.0
            progress.not_before = time.monotonic() + wait
        self.wake()
