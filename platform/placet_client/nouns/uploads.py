"""Files on their way in: what the server has is not sent, what broke off goes on."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from placet_client.errors import Conflict, NotFound, PlacetError, TooManyRequests, Unreachable
from placet_client.nouns.base import Listing, Noun, answer, at
from placet_client.records import ArtifactFile, FinishedUpload, StartedUpload, Upload
from placet_client.transport import pause

CHUNK = 4 * 1024 * 1024
TRIES = 6  # without a byte more having come through
Progress = Callable[[int, int], None]


class Uploads(Noun):
    """Uploads of files into drafts. :meth:`send` does all of it."""

    def list(
        self, project: str, model: str, number: int, *, limit: int | None = None
    ) -> Listing[Upload]:
        """List the unfinished uploads of a version."""
        return self._list(Upload, self._of(project, model, number), limit)

    def get(self, upload: str) -> Upload:
        """Tell where an upload stands."""
        return self._read(Upload, at("uploads", upload))

    def start(
        self,
        project: str,
        model: str,
        number: int,
        *,
        path: str,
        size: int,
        sha256: str,
        archive: bool = False,
    ) -> StartedUpload:
        """Announce a file; the answer says whether its bytes are needed, and from where on."""
        body = {"path": path, "size": size, "sha256": sha256, "archive": archive}
        return self._do(StartedUpload, self._of(project, model, number), body)

    def append(self, upload: str, offset: int, chunk: bytes) -> FinishedUpload | None:
        """Send bytes that start at ``offset``; the last ones answer with the files."""
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        path = at("uploads", upload)
        response = self._http.request("PATCH", path, content=chunk, headers=headers)
        return FinishedUpload.read(answer(response)) if response.status_code == 200 else None

    def finish(self, upload: str) -> FinishedUpload:
        """Complete an upload whose last answer was lost."""
        return self._do(FinishedUpload, at("uploads", upload, "finish"))

    def cancel(self, upload: str, *, if_match: str = "") -> None:
        """Give an upload up."""
        self._delete(at("uploads", upload), if_match)

    def send(
        self,
        project: str,
        model: str,
        number: int,
        file: Path,
        path: str,
        *,
        sha256: str = "",
        archive: bool = False,
        progress: Progress | None = None,
    ) -> tuple[ArtifactFile, ...]:
        """Make ``file`` the file ``path`` of a draft; return the files that it became.

        Bytes that the project holds already are not sent. What broke off, now or in an earlier
        run, goes on where it stopped. ``progress`` is called with bytes sent and bytes in all.
        """
        announced = {"path": path, "size": file.stat().st_size, "sha256": sha256 or digest(file)}
        for attempt in range(TRIES):
            started = self.start(project, model, number, **announced, archive=archive)  # type: ignore[arg-type]
            if started.upload is None:
                return (started.file,) if started.file else ()
            try:
                return self._send(started.upload, file, progress)
            except NotFound:  # somebody else, with the same file, was faster: ask again
                self._http.wait(pause(attempt))
        raise Conflict(409, "upload_busy", f"{path}: another upload of it does not end")

    def _send(
        self, upload: Upload, file: Path, progress: Progress | None
    ) -> tuple[ArtifactFile, ...]:
        offset, stuck = upload.received, 0
        with file.open("rb") as stream:
            while True:
                stream.seek(offset)
                try:
                    chunk = stream.read(CHUNK)
                    done = (
                        self.append(upload.id, offset, chunk) if chunk else self.finish(upload.id)
                    )
                except PlacetError as error:
                    stuck += 1
                    if stuck == TRIES or not _may_go_on(error):
                        raise
                    self._http.wait(pause(stuck))
                    offset = self.get(upload.id).received
                    continue
                offset, stuck = offset + len(chunk), 0
                if progress:
                    progress(offset, upload.size)
                if done is not None:
                    return done.files

    def _of(self, project: str, model: str, number: int) -> str:
        return at("projects", project, "models", model, "versions", number, "uploads")


def digest(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _may_go_on(error: PlacetError) -> bool:
    """Tell whether the upload is worth asking for its offset: the bytes were not refused."""
    if isinstance(error, Conflict):
        return error.code in ("upload_busy", "offset_mismatch", "upload_incomplete")
    return isinstance(error, Unreachable | TooManyRequests) or error.status in (502, 503, 504)
