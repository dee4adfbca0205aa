"""The pages of one endpoint: what they say, and what may be done there, as templates print it."""

from dataclasses import dataclass

from django.urls import reverse

from apps.console.queries import endpoint_forms as forms
from apps.console.queries import endpoint_parts as parts
from apps.console.queries.endpoint_buttons import buttons
from apps.console.queries.endpoint_view import EndpointView, endpoint_view
from apps.console.queries.not_serving import (
    nothing_answers,
    recorded,
    unrecorded,
    whose_figures,
)
from apps.console.queries.page_parts import Button, Sign, Tab, either
from apps.console.queries.past_revisions import PastRevision, past_revisions
from apps.console.queries.rollback_form import (
    RollbackForm,
    can_roll_back,
    rollback_form,
    rollback_words,
)
from apps.console.queries.served_lines import ServedLines, served_lines
from apps.console.queries.version_parts import response
from apps.identity.rules.permissions import roles_with
from apps.monitoring.rules import FEWEST
from apps.registry.models import ModelVersion
from apps.rollouts.traffic import FIRST, RANGES, TrafficRange, range_of
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor, Scope

TABS = (
    ("Overview", "endpoint"),
    ("Revisions", "endpoint-revisions"),
    ("Test", "endpoint-test"),
    ("Use the API", "endpoint-use"),
    ("Settings", "endpoint-settings"),
)


@dataclass(frozen=True, slots=True)
class EndpointPage:
    """Everything the pages of one endpoint show."""

    view: EndpointView
    actor: Actor
    shown: str = "endpoint"  # the name of the route that is shown
    range: TrafficRange = RANGES[FIRST]  # of the traffic
    fewest: int = FEWEST  # requests that a percentile is shown of

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return self.view.endpoint

    @property
    def is_deleted(self) -> bool:
        """Whether there is nothing left to do with it."""
        return self.endpoint.state == EndpointState.DELETED

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped it."""
        return self.endpoint.state == EndpointState.STOPPED

    @property
    def live(self) -> Revision | None:
        """The revision that serves."""
        return self.view.live

    @property
    def tabs(self) -> list[Tab]:
        """The pages of the endpoint that the reader may open."""
        names = [row for row in TABS if row[1] != "endpoint-test" or self.may("endpoint.predict")]
        pk = self.endpoint.pk
        return [Tab(text, reverse(name, args=[pk]), name == self.shown) for text, name in names]

    @property
    def ranges(self) -> list[Tab]:
        """How far one may look back."""
        rows = RANGES.values()
        return [Tab(row.words, f"?range={row.name}", row == self.range) for row in rows]

    @property
    def traffic_url(self) -> str:
        """Where its traffic over time is read."""
        url = reverse("api-endpoints-traffic", args=[self.endpoint.pk])
        return f"{url}?range={self.range.name}"

    @property
    def is_open(self) -> bool:
        """Whether clients need no API key."""
        return not self.is_deleted and not self.endpoint.api_key_required

    @property
    def is_exposed(self) -> bool:
        """Whether clients need no API key in the last of the project's environments."""
        last = getattr(self.endpoint, "last_environment", None)
        return self.is_open and not self.view.asked and self.endpoint.environment == last

    @property
    def version(self) -> ModelVersion | None:
        """The version that serves."""
        return first.revision.bento.version if (first := self.view.status.serving) else None

    @property
    def version_url(self) -> str:
        """Where that version is read."""
        return parts.version_url(self.version, self.endpoint.project.slug) if self.version else ""

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` at the endpoint."""
        return self.actor.can(permission, self.scope)

    @property
    def scope(self) -> Scope:
        """Where permissions for it are held."""
        return Scope(self.endpoint.project_scope(), self.endpoint.environment_scope())

    @property
    def may_operate(self) -> bool:
        """Whether the reader may stop, start, scale it and say what it is held to."""
        return not self.is_deleted and self.may("endpoint.operate")

    @property
    def may_manage(self) -> bool:
        """Whether the reader may give out its keys and delete it."""
        return not self.is_deleted and self.may("endpoint.manage")

    @property
    def may_read(self) -> bool:
        """Whether the reader may read what was captured."""
        return self.may("prediction.view")

    @property
    def readers(self) -> str:
        """Who may read what was captured, for somebody who may not."""
        readers = either(roles_with("prediction.view"))
        return f"Predictions can hold personal data: {readers} can read them, and you can't."

    @property
    def recorded(self) -> str:
        """What is written down of predictions."""
        return recorded(self.view)

    @property
    def unrecorded(self) -> str:
        """Why no prediction is written down now."""
        return unrecorded(self.view)

    @property
    def may_plan(self) -> bool:
        """Whether the reader may schedule rollback tests."""
        return not self.is_deleted and self.may("drill.schedule")

    @property
    def may_rehearse(self) -> bool:
        """Whether the reader may run a rollback test now."""
        view = self.view
        active = self.endpoint.state == EndpointState.ACTIVE
        ready = active and view.previous is not None and view.rollout is None
        return ready and self.may("drill.run")

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do with it now."""
        operates, manages = self.may_operate, self.may_manage
        goes_back = self.rollback is not None
        return list(buttons(self.view, operates=operates, manages=manages, goes_back=goes_back))

    @property
    def unreachable(self) -> Sign | None:
        """Why clients have no address to call; ``None`` when they have."""
        if self.view.address:
            return None
        text = self.view.status.no_address
        return Sign("plain", "–", text) if self.is_deleted else Sign("wait", "▲", text)

    @property
    def recalls(self) -> list[parts.EndpointRecall]:
        """What recalls did to it."""
        recalls = getattr(self.endpoint, "recalled", ())
        return [parts.endpoint_recall(row, self.actor) for row in recalls]

    @property
    def health(self) -> Sign:
        """How it is."""
        return parts.health(self.view.health, self.view.asked)

    @property
    def why(self) -> str:
        """Why it is not healthy, in few words; that its node is silent is said apart."""
        return "" if self.is_silent else parts.why(self.view.judged)

    @property
    def is_silent(self) -> bool:
        """Whether its node has said nothing for too long."""
        node = self.view.status.node
        return node is not None and not node.alive

    @property
    def running(self) -> list[parts.Running]:
        """What is there, a line for each revision."""
        is_split, recent = self.view.split is not None, self.view.recent
        return [
            parts.Running(row, recent.get(row.revision.pk), is_split, self.is_stopped)
            for row in self.view.status.revisions
        ]

    @property
    def is_idle(self) -> bool:
        """Whether what serves was not asked anything lately."""
        traffic = self.view.traffic
        serves = self.live is not None and not self.is_stopped
        return serves and not (traffic and traffic.requests)

    @property
    def whose_figures(self) -> str:
        """Which revision the figures are of."""
        return whose_figures(self.view)

    @property
    def figures(self) -> list[tuple[str, str]]:
        """What the live revision answered lately."""
        return list(parts.figures(self.view.traffic))

    @property
    def strays(self) -> str:
        """How many requests of the live revision could not be split."""
        return parts.strays(self.view.traffic)

    @property
    def networks(self) -> list[parts.RevisionNetwork]:
        """What each revision may reach, and how it is kept apart."""
        return [parts.RevisionNetwork(r, self.is_stopped) for r in self.view.status.revisions]

    @property
    def inputs(self) -> list[parts.Input]:
        """The fields of the form that tries it, where the reader may."""
        version = self.version
        if version is None or not version.signature or self.no_answer:
            return []
        return parts.inputs(version) if self.may("endpoint.predict") else []

    @property
    def curl(self) -> str:
        """How it is called from a shell."""
        key = self.endpoint.api_key_required
        return parts.curl(self.view.address, self.view.sample, key=key)

    @property
    def python(self) -> str:
        """How it is called from Python."""
        key = self.endpoint.api_key_required
        return parts.python(self.view.address, self.view.sample, key=key)

    @property
    def response(self) -> str:
        """What it answers to the example row, else how it answers one."""
        return response(self.version) if self.version else ""

    @property
    def lines(self) -> ServedLines:
        """When each revision served lately, as the log has it."""
        return served_lines(self.endpoint, self.view.status)

    @property
    def history(self) -> list[PastRevision]:
        """All that was released there."""
        return past_revisions(self.view.history, self.view.stop, self.endpoint, self.actor)

    @property
    def former(self) -> str:
        """What a rollback would do."""
        return rollback_words(self.view)

    @property
    def held_to(self) -> list[forms.Held]:
        """What was agreed."""
        row = self.view.objective
        if row is None:
            return []
        owner = self.view.keeper_names.get(row.owner, "")
        return list(forms.held_to(row, self.view.verdict, owner))

    @property
    def unjudged(self) -> str:
        """Why it is not known whether that is met."""
        if self.is_stopped:
            return "It is stopped: nothing is judged."
        return forms.unjudged(self.view.verdict)

    @property
    def standing(self) -> Sign | None:
        """Whether that is met; ``None`` where nothing is judged."""
        return forms.standing(self.view.verdict) if self.view.verdict else None

    @property
    def objective_form(self) -> forms.ObjectiveForm:
        """The form that agrees to something else."""
        return forms.ObjectiveForm(self.view.objective)

    @property
    def comes_round(self) -> str:
        """How often rollback tests run by themselves; '' for never."""
        return forms.comes_round(self.view.schedule) if self.view.schedule else ""

    @property
    def schedule_form(self) -> forms.ScheduleForm:
        """The form that schedules rollback tests."""
        return forms.ScheduleForm(self.view.schedule)

    @property
    def open_words(self) -> str:
        """What it means that no key is required."""
        return parts.open_words(self.view.keys)

    @property
    def key_makers(self) -> str:
        """Who creates keys and says whether one is required."""
        if self.may_manage:
            return "A key is shown once, when it is created."
        return parts.key_makers()

    @property
    def no_keys(self) -> str:
        """What it means that there is no key."""
        if self.is_deleted:
            return "It had none."
        if self.endpoint.api_key_required:
            return "An API key is required, and none was created yet: clients get 401."
        return "No API keys yet."

    @property
    def no_traffic(self) -> str:
        """That nothing was counted in the range, which ends where all nodes have counted."""
        return f"No requests in the last {self.range.words.removeprefix('1 ')}, up to a minute ago"

    @property
    def no_answer(self) -> str:
        """Why nothing answers."""
        return nothing_answers(self.view)

    @property
    def no_test(self) -> str:
        """Why there is no form to test it with."""
        return "Nothing answers" if self.no_answer else "The live version has no signature"

    @property
    def keys_there(self) -> str:
        """How many keys would still be accepted once they are required."""
        return parts.keys_there(self.view.keys)

    @property
    def restart_title(self) -> str:
        """What the dialog that restarts it asks."""
        return f"Restart {self.endpoint.name}?"

    @property
    def restart_says(self) -> str:
        """What a restart does."""
        return parts.restart_words(self.live)

    @property
    def scale_title(self) -> str:
        """What the dialog that scales it asks."""
        return f"Scale {self.endpoint.name}"

    @property
    def scale_says(self) -> str:
        """What scaling does, and within what; '' where nobody scales it."""
        return parts.scale_words(self.live)

    @property
    def stop_title(self) -> str:
        """What the dialog that stops it asks."""
        return f"Stop {self.endpoint.name}?"

    @property
    def rollback(self) -> RollbackForm | None:
        """The form that goes back; ``None`` where the reader cannot."""
        if self.is_deleted or not can_roll_back(self.view) or not self.may("rollout.operate"):
            return None
        return rollback_form(self.view, self.version)


def endpoint_page(
    endpoint_id: str,
    actor: Actor,
    shown: str = "endpoint",
    *,
    range_name: str = "",
    everything: bool = False,
) -> EndpointPage:
    """Return the endpoint as its page ``shown`` has it, or raise ``NotFound``."""
    view = endpoint_view(endpoint_id, actor, everything=everything)
    return EndpointPage(view, actor, shown, range_of(range_name))
