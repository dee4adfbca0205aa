"""Streams of the audit log."""

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import Stream, StreamDetail


class Streams(Noun):
    """Where the log is sent, by the stream's id."""

    def list(self, *, limit: int | None = None) -> Listing[Stream]:
        """List the streams that you see, newest first."""
        return self._list(Stream, "/streams", limit)

    def get(self, stream: str) -> StreamDetail:
        """Read a stream, how far it is, and what came of its last batches."""
        return self._read(StreamDetail, at("streams", stream))

    def add(
        self,
        name: str,
        url: str,
        *,
        kind: str = "jsonl",
        token_file: str = "",
        ca_file: str = "",
        cert_file: str = "",
        project: str = "",
        start: int | None = None,
        alert_after_seconds: int = 900,
    ) -> StreamDetail:
        """Add a stream from event ``start`` on (default: the next that comes).

        ``kind`` is ``jsonl``, ``cloudevents`` or ``syslog``. It begins when somebody with
        ``audit.export`` resumes it, at once when you have that yourself.
        """
        body = given(
            name=name,
            url=url,
            kind=kind,
            token_file=token_file,
            ca_file=ca_file,
            cert_file=cert_file,
            project=project,
            start=start,
            alert_after_seconds=alert_after_seconds,
        )
        return self._do(StreamDetail, "/streams", body)

    def pause(self, stream: str) -> StreamDetail:
        """Send nothing more until somebody resumes."""
        return self._do(StreamDetail, at("streams", stream, "pause"))

    def resume(self, stream: str) -> StreamDetail:
        """Let a stream begin or go on, or try again now."""
        return self._do(StreamDetail, at("streams", stream, "resume"))

    def rewind(self, stream: str, *, index: int) -> StreamDetail:
        """Send everything from event ``index`` on once more."""
        return self._do(StreamDetail, at("streams", stream, "rewind"), {"index": index})

    def test(self, stream: str) -> StreamDetail:
        """Have a test sent; what comes of it stands in ``deliveries`` within seconds."""
        return self._do(StreamDetail, at("streams", stream, "test"))

    def remove(self, stream: str, *, if_match: str = "") -> None:
        """Send nothing more, for good."""
        self._delete(at("streams", stream), if_match)
