"""Lists that are taken away whole."""

from pathlib import Path
from typing import Literal

from placet_client.nouns.base import Noun, given

Form = Literal["csv", "json"]


class Lists(Noun):
    """Every list that you see, written to a file; each method returns the file's size."""

    def models(self, to: Path, *, form: Form = "csv", project: str = "", q: str = "") -> int:
        """Write the models of all projects or of one; ``q`` is part of a name."""
        return self._save("/exports/models", to, **given(format=form, project=project, q=q))

    def versions(self, to: Path, *, form: Form = "csv", project: str = "", model: str = "") -> int:
        """Write the versions of all models or of one."""
        query = given(format=form, project=project, model=model)
        return self._save("/exports/versions", to, **query)

    def releases(
        self,
        to: Path,
        *,
        form: Form = "csv",
        project: str = "",
        state: str = "",
        environment: str = "",
        model: str = "",
        endpoint: str = "",
        who: str = "",
    ) -> int:
        """Write the releases with their decisions; ``who`` is ``requested`` for those that one
        asked for oneself, ``decided`` for those that one decided on."""
        query = given(
            format=form,
            project=project,
            state=state,
            environment=environment,
            model=model,
            endpoint=endpoint,
            who=who,
        )
        return self._save("/exports/releases", to, **query)

    def endpoints(
        self, to: Path, *, form: Form = "csv", project: str = "", isolation: str = ""
    ) -> int:
        """Write what runs where; ``isolation`` is how what runs is kept apart."""
        query = given(format=form, project=project, isolation=isolation)
        return self._save("/exports/endpoints", to, **query)

    def deployments(
        self,
        to: Path,
        *,
        form: Form = "csv",
        at: str = "",
        project: str = "",
        environment: str = "",
    ) -> int:
        """Write what served behind each endpoint at an instant (RFC 3339; now unless given)."""
        query = given(format=form, at=at, project=project, environment=environment)
        return self._save("/exports/deployments", to, **query)

    def targets(self, to: Path, *, form: Form = "csv") -> int:
        """Write the targets and how their nodes are."""
        return self._save("/exports/targets", to, **given(format=form))

    def policies(self, to: Path, *, form: Form = "csv", project: str = "") -> int:
        """Write every environment with the policy in force."""
        return self._save("/exports/policies", to, **given(format=form, project=project))

    def glasses(
        self,
        to: Path,
        *,
        form: Form = "csv",
        project: str = "",
        review: str = "",
        release: str = "",
    ) -> int:
        """Write the break-glasses with who signed them and what their reviews found; those whose
        ``review`` is ``open``, ``overdue`` or ``closed``, or those of the release of this id."""
        query = given(format=form, project=project, review=review, release=release)
        return self._save("/exports/glasses", to, **query)

    def duties(self, to: Path, *, form: Form = "csv", project: str = "") -> int:
        """Write how few people could have a release approved, environment by environment."""
        return self._save("/exports/duties", to, **given(format=form, project=project))

    def signers(self, to: Path, *, form: Form = "csv", project: str = "") -> int:
        """Write the keys whose signatures over models each project trusts."""
        return self._save("/exports/signers", to, **given(format=form, project=project))

    def passkeys(self, to: Path, *, form: Form = "csv") -> int:
        """Write approvers' passkeys, with who vouches for each."""
        return self._save("/exports/passkeys", to, **given(format=form))

    def streams(self, to: Path, *, form: Form = "csv") -> int:
        """Write the streams of the log and how far they are."""
        return self._save("/exports/streams", to, **given(format=form))

    def webhooks(self, to: Path, *, form: Form = "csv") -> int:
        """Write the webhooks and whether they get through."""
        return self._save("/exports/webhooks", to, **given(format=form))

    def recalls(
        self,
        to: Path,
        *,
        form: Form = "csv",
        project: str = "",
        recall: str = "",
        state: str = "",
    ) -> int:
        """Write what every recall, or the one of this id, or those of a ``state``, ``standing`` or
        ``lifted``, did to every release, and whether that is confirmed."""
        query = given(format=form, project=project, recall=recall, state=state)
        return self._save("/exports/recalls", to, **query)

    def tokens(self, to: Path, *, form: Form = "csv") -> int:
        """Write the tokens that you answer for, without their secrets."""
        return self._save("/exports/tokens", to, **given(format=form))

    def witnesses(self, to: Path, *, form: Form = "csv") -> int:
        """Write who witnesses the log, and which logs are witnessed."""
        return self._save("/exports/witnesses", to, **given(format=form))

    def holds(self, to: Path, *, form: Form = "csv") -> int:
        """Write the legal holds of the log, those that were lifted too."""
        return self._save("/exports/holds", to, **given(format=form))

    def archives(self, to: Path, *, form: Form = "csv") -> int:
        """Write the archives of old events: which, and the file of each by its digest."""
        return self._save("/exports/archives", to, **given(format=form))
