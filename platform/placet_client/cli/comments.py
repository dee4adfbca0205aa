"""release comment, release comments."""

import typer

from placet_client.cli.command import LimitOption, OutputOption, connected, go_on
from placet_client.cli.release_names import ReleaseArgument, id_of
from placet_client.output import Form, say, show_list, show_one
from placet_client.records import Unmentioned


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("comment")(release_comment)
    app.command("comments")(release_comments)


def say_unmentioned(unmentioned: tuple[Unmentioned, ...]) -> None:
    """Say what in a comment mentions nobody."""
    for each in unmentioned:
        say(each.reason)


def release_comment(named: ReleaseArgument, text: str, output: OutputOption = Form.TABLE) -> None:
    """Comment on a release. It mentions nobody: `placet thread open` does."""
    with connected() as client:
        release_id = id_of(client, named)
        written = client.releases.comment(release_id, text)
        show_one(written, output)
        say_unmentioned(written.unmentioned)
        go_on(client, "release", release_id)


def release_comments(
    named: ReleaseArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the comments on a release."""
    with connected() as client:
        release_id = id_of(client, named)
        comments = client.releases.comments(release_id, limit=limit)
        show_list(comments, ["created_at", "name", "text"], output)
