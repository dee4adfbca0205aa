"""Threads about releases, versions, policy revisions and alerts, and what is said in them."""

from collections.abc import Mapping
from pathlib import Path

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import (
    OpenedThread,
    Seen,
    Thread,
    ThreadComment,
    WrittenComment,
)


class Threads(Noun):
    """Threads, each about one thing: its kind (``release``, ``version``, ``policy``, ``alert``) and
    its id."""

    def list(
        self, kind: str, subject: str, *, state: str = "", limit: int | None = None
    ) -> Listing[Thread]:
        """List the threads about one thing, the first one first; ``open`` ones, ``resolved`` ones,
        or all."""
        return self._list(Thread, at("discussions", kind, subject, "threads"), limit, state=state)

    def open(
        self,
        kind: str,
        subject: str,
        text: str,
        *,
        anchor: str = "",
        files: Mapping[str, bytes] | None = None,
        key: str = "",
    ) -> OpenedThread:
        """Open a thread with its first comment, and with ``files`` by their names; ``anchor`` is a
        part, such as ``metrics/auc``. A ``key`` has 40 characters at most where there are files."""
        path, body = at("discussions", kind, subject, "threads"), given(text=text, anchor=anchor)
        if files:
            return self._send_form(OpenedThread, path, body, files, key)
        return self._do(OpenedThread, path, body, key)

    def get(self, thread: str) -> Thread:
        """Read a thread."""
        return self._read(Thread, at("threads", thread))

    def resolve(self, thread: str) -> Thread:
        """Say that the matter is settled."""
        return self._do(Thread, at("threads", thread, "resolve"))

    def reopen(self, thread: str) -> Thread:
        """Say that it is not settled after all."""
        return self._do(Thread, at("threads", thread, "reopen"))

    def mark_seen(self, thread: str, *, comment: str = "") -> Seen:
        """Say that you have read it, up to the last ``comment`` that you read or all of it: your
        mentions there leave your inbox."""
        return self._do(Seen, at("threads", thread, "seen"), given(comment=comment))

    def comments(self, thread: str, *, limit: int | None = None) -> Listing[ThreadComment]:
        """List what was said in a thread, the first comment first."""
        return self._list(ThreadComment, at("threads", thread, "comments"), limit)

    def comment(self, thread: str, comment: str) -> ThreadComment:
        """Read a comment."""
        return self._read(ThreadComment, at("threads", thread, "comments", comment))

    def reply(
        self, thread: str, text: str, *, files: Mapping[str, bytes] | None = None, key: str = ""
    ) -> WrittenComment:
        """Say something in an open thread, with ``files`` by their names."""
        path, body = at("threads", thread, "comments"), {"text": text}
        if files:
            return self._send_form(WrittenComment, path, body, files, key)
        return self._do(WrittenComment, path, body, key)

    def file(self, thread: str, comment: str, file: str) -> bytes:
        """Read a file of a comment, once it was scanned."""
        return self._bytes(at("threads", thread, "comments", comment, "files", file))

    def save_file(self, thread: str, comment: str, file: str, to: Path) -> int:
        """Write a file of a comment to ``to``; return its size."""
        return self._save(at("threads", thread, "comments", comment, "files", file), to)

    def delete_file(self, thread: str, comment: str, file: str, *, if_match: str = "") -> None:
        """Delete a file of your own comment."""
        self._delete(at("threads", thread, "comments", comment, "files", file), if_match)

    def edit(self, thread: str, comment: str, text: str, *, if_match: str = "") -> WrittenComment:
        """Put another text in place of your own."""
        path = at("threads", thread, "comments", comment)
        return self._change(WrittenComment, "PATCH", path, {"text": text}, if_match)

    def delete(self, thread: str, comment: str, *, if_match: str = "") -> None:
        """Delete your own text; that a comment stood there stays."""
        self._delete(at("threads", thread, "comments", comment), if_match)
