"""release ask, release unask: who is asked by name to review a release."""

from typing import Annotated

import typer

from placet_client.cli.command import OutputOption, connected, go_on
from placet_client.cli.release_names import ReleaseArgument, id_of
from placet_client.cli.release_shown import REVIEWER
from placet_client.errors import NotFound
from placet_client.output import Form, show_list

NAMES = "their names, e-mail addresses or ids"
PeopleArgument = Annotated[list[str], typer.Argument(metavar="PERSON...", help=NAMES)]
DUE = "due in so many days, 0 for no due date; default: as the environment says"
DaysOption = Annotated[int | None, typer.Option("--review-days", help=DUE)]


def add_to(release: typer.Typer) -> None:
    """Add these commands."""
    release.command("ask")(release_ask)
    release.command("unask")(release_unask)


def release_ask(
    named: ReleaseArgument,
    people: PeopleArgument,
    days: DaysOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Ask people by name to review a release, or ask them again. Whoever requested it may, and who
    administers the project; only people who can decide on it can be asked."""
    with connected() as client:
        release_id = id_of(client, named)
        asked = client.releases.request_review(release_id, people, review_days=days)
        show_list(asked, REVIEWER, output)
        go_on(client, "release", release_id)


def release_unask(
    named: ReleaseArgument,
    person: Annotated[str, typer.Argument(help="their name or id")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Take back that somebody was asked by name to review a release."""
    with connected() as client:
        release_id = id_of(client, named)
        asked = client.releases.reviewers(release_id)
        meant = [r for r in asked if person.casefold() in (r.person, r.name.casefold())]
        if len(meant) != 1:
            who = "Nobody called" if not meant else "More than one called"
            more = ": name one by id" if meant else ""
            said = f"{who} {person} is asked to review this release{more}"
            raise NotFound(404, "not_found", said)
        left = client.releases.remove_review_request(meant[0].id)
        show_list(left, REVIEWER, output, none="Nobody is asked by name.")
        go_on(client, "release", release_id)
