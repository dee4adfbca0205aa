"""thread: discussions."""

from pathlib import Path
from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import LimitOption, OutputOption, connected, go_on
from placet_client.cli.comments import say_unmentioned
from placet_client.cli.release_names import id_of
from placet_client.client import Client
from placet_client.errors import Denied
from placet_client.output import Form, say, show_list, show_one, tell
from placet_client.records import ThreadComment

thread = typer.Typer(
    help="Discussions of releases, versions, policy revisions and alerts", no_args_is_help=True
)
COLUMNS = ["id", "number", "state", "anchor", "comments", "opened_by_name", "said_at"]
KINDS = {"rel_": "release", "ver_": "version", "pol_": "policy", "alr_": "alert"}
SubjectArgument = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT",
        help="a release as PROJECT/NUMBER, a version as PROJECT/MODEL:NUMBER, or the id of a "
        "release, version, policy revision or alert",
    ),
]
ThreadArgument = Annotated[str, typer.Argument(metavar="THREAD")]
CommentArgument = Annotated[str, typer.Argument(metavar="COMMENT")]
TextArgument = Annotated[str, typer.Argument(help="Markdown; @name@example.com mentions somebody")]


FileOption = Annotated[
    list[Path] | None,
    typer.Option("--file", help="a file that goes with it, 4 at most", exists=True, dir_okay=False),
]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="the id of the file")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(thread, name="thread")


def _subject(client: Client, text: str) -> tuple[str, str]:
    """Return the kind and the id of what is discussed."""
    if kind := KINDS.get(text[:4]):
        return kind, text
    if ":" in text:
        return "version", client.versions.get(*refs.version(text)).id
    return "release", id_of(client, text)


def _read(paths: list[Path] | None) -> dict[str, bytes]:
    """Return files by their names; two of one name cannot go together."""
    files: dict[str, bytes] = {}
    for path in paths or ():
        if path.name in files:
            raise typer.BadParameter(f"two are called {path.name}", param_hint="--file")
        files[path.name] = path.read_bytes()
    return files


@thread.command("list")
def thread_list(
    subject: SubjectArgument,
    state: Annotated[str, typer.Option(help="open or resolved; default: all")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the discussions of one thing, the first one first."""
    with connected() as client:
        kind, named = _subject(client, subject)
        show_list(client.threads.list(kind, named, state=state, limit=limit), COLUMNS, output)


@thread.command("open")
def thread_open(
    subject: SubjectArgument,
    text: TextArgument,
    about: Annotated[str, typer.Option(help="the part that is meant, such as metrics/auc")] = "",
    file: FileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Open a discussion with its first comment."""
    with connected() as client:
        named = _subject(client, subject)
        opened = client.threads.open(*named, text, anchor=about, files=_read(file))
        show_one(opened, output)
        say_unmentioned(opened.unmentioned)
        go_on(client, "thread", opened.id)


def _mark_seen(client: Client, thread_id: str, last: str) -> None:
    try:
        client.threads.mark_seen(thread_id, comment=last)
    except Denied:
        tell("It stays in your inbox: with this token you only read")


def _show_files(comments: list[ThreadComment]) -> None:
    for comment in comments:
        for one in comment.files:
            found = f" ({one.found})" if one.found else ""
            about = f"{one.name}, {one.size:,} bytes, {one.type}. {one.scan}{found}"
            say(f"{comment.id} {one.id} {about}")


@thread.command("show")
def thread_show(
    thread_id: ThreadArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """Read a discussion, which leaves your inbox then unless you may only read with this token."""
    with connected() as client:
        shown = client.threads.get(thread_id)
        comments = list(client.threads.comments(thread_id, limit=limit))
        if comments:
            _mark_seen(client, thread_id, comments[-1].id)
        if output is Form.JSON:
            show_one(shown.raw | {"items": [comment.raw for comment in comments]}, output)
        else:
            show_one(shown, output)
            show_list(comments, ["id", "created_at", "name", "state", "text"], output)
            _show_files(comments)
        go_on(client, "thread", thread_id)


@thread.command("reply")
def thread_reply(
    thread_id: ThreadArgument,
    text: TextArgument,
    file: FileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say something in an open discussion."""
    with connected() as client:
        written = client.threads.reply(thread_id, text, files=_read(file))
        show_one(written, output)
        say_unmentioned(written.unmentioned)
        go_on(client, "thread", thread_id)


@thread.command("edit")
def thread_edit(
    thread_id: ThreadArgument,
    comment_id: CommentArgument,
    text: TextArgument,
    output: OutputOption = Form.TABLE,
) -> None:
    """Put another text in place of your own comment's."""
    with connected() as client:
        written = client.threads.edit(thread_id, comment_id, text)
        show_one(written, output)
        say_unmentioned(written.unmentioned)
        go_on(client, "thread", thread_id)


@thread.command("delete")
def thread_delete(thread_id: ThreadArgument, comment_id: CommentArgument) -> None:
    """Delete your own comment's text; its place in the discussion stays."""
    with connected() as client:
        client.threads.delete(thread_id, comment_id)
        tell("Deleted.")
        go_on(client, "thread", thread_id)


@thread.command("download")
def thread_download(
    thread_id: ThreadArgument,
    comment_id: CommentArgument,
    file_id: FileArgument,
    to: Annotated[Path, typer.Option(help="where it is written; an existing file stays")],
) -> None:
    """Download a file of a comment, once it was scanned. Nothing is opened."""
    if to.exists():
        raise typer.BadParameter(f"{to} exists: name another file", param_hint="--to")
    with connected() as client:
        size = client.threads.save_file(thread_id, comment_id, file_id, to)
        tell(f"{to}: {size:,} bytes")


@thread.command("delete-file")
def thread_delete_file(
    thread_id: ThreadArgument, comment_id: CommentArgument, file_id: FileArgument
) -> None:
    """Delete a file of your own comment; the comment stays."""
    with connected() as client:
        client.threads.delete_file(thread_id, comment_id, file_id)
        tell("Deleted.")
        go_on(client, "thread", thread_id)


@thread.command("resolve")
def thread_resolve(thread_id: ThreadArgument, output: OutputOption = Form.TABLE) -> None:
    """Resolve a discussion."""
    with connected() as client:
        show_one(client.threads.resolve(thread_id), output)
        go_on(client, "thread", thread_id)


@thread.command("reopen")
def thread_reopen(thread_id: ThreadArgument, output: OutputOption = Form.TABLE) -> None:
    """Reopen a discussion."""
    with connected() as client:
        show_one(client.threads.reopen(thread_id), output)
        go_on(client, "thread", thread_id)
