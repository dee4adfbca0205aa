"""Refusals of this app."""

from placet.kernel.problems import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    Problem,
    TooManyRequests,
)
from placet_protocol.fields import ProtocolError
from placet_protocol.report import STALE_REPORT


class TooManyWindows(TooManyRequests):
    """A node sends more of what it measured than a minute has room for; a report without is taken.

    An agent keeps the windows, and sends them later.
    """

    code, title = "too_many_windows", "More was measured than is taken in within a minute"


class TargetExists(Conflict):
    """The name is taken."""

    code, title = "target_exists", "There is a target of this name"


class TargetNotListed(Conflict):
    """The target does not list the environment: nothing new of it runs there."""

    code, title = "target_not_listed", "This target may not be used here"


class TargetInUse(Conflict):
    """Endpoints that are not stopped stand on the target by the entry that is to go."""

    code, title = "target_in_use", "Endpoints stand on this target"


class SecretInUse(Conflict):
    """What serves names the secret."""

    code, title = "secret_in_use", "The secret is in use"


class SecretGone(Conflict):
    """There is no value to revoke."""

    code, title = "secret_gone", "The secret has no value"


class EndpointExists(Conflict):
    """The name is taken."""

    code, title = "endpoint_exists", "There is an endpoint of this name in this environment"


class WrongEndpointState(Conflict):
    """Stopped already, or not stopped."""

    code, title = "endpoint_state", "The endpoint's state does not allow this now"


class EndpointNeeded(Conflict):
    """Something stands behind the endpoint, or is on its way there."""

    code, title = "endpoint_needed", "The endpoint is still needed"


class NothingLive(Conflict):
    """Nothing serves behind the endpoint."""

    code, title = "nothing_live", "Nothing is live behind this endpoint"


class ScaleNotApproved(Conflict):
    """More replicas than the release was approved for."""

    code, title = "scale_not_approved", "The live release was not approved for so many replicas"


class ScaledByLoad(Conflict):
    """Nobody says how many replicas there are of what its node scales."""

    code, title = "scaled_by_load", "The node scales the live release by load"


class DoesNotFit(Conflict):
    """The driver says why the Bento cannot run on the target."""

    code, title = "does_not_fit", "The target cannot run this"


class NoRoom(DoesNotFit):
    """There is not enough memory now; there may be another time."""


class RevisionMoved(Conflict):
    """Somebody else changed the revision first."""

    code, title = "revision_moved", "The revision was changed meanwhile"


class NotPermitted(Forbidden):
    """The permit does not allow this Bento here; ``code`` is the verifier's reason."""

    code, title = "not_permitted", "The permit does not allow this"


class Recalled(Conflict):
    """What is asked for was recalled, and the recall was not lifted."""

    code, title = "recalled", "This was recalled"


class JoinRefused(Forbidden):
    """The join token is unknown, used or expired; the three are not told apart."""

    code, title = "join_refused", "This join token is not valid"

    def __init__(self) -> None:
        super().__init__(
            "This join token was used, replaced or has expired:"
            " `placet target join-token NAME` makes another"
        )


class NodeRefused(Problem):
    """The request is not signed by a node we know, or its clock is off."""

    status, code, title = 401, "node_refused", "This request is not signed by a node of ours"


class StaleReport(Conflict):
    """A report whose number is not higher than the last one's."""

    code, title = STALE_REPORT, "A newer report was received"

    def __init__(self, number: int) -> None:
        super().__init__(f"The last report had number {number}")
        self.number = number

    def body(self, *, request_id: str, instance: str = "") -> dict[str, object]:
        """Say the number, so that a node that lost its own can go on."""
        return {**super().body(request_id=request_id, instance=instance), "number": self.number}


class PredictFailed(Problem):
    """The endpoint did not answer the trial call."""

    status, code, title = 502, "predict_failed", "The endpoint did not answer"


def malformed(error: ProtocolError) -> InvalidInput:
    """Return the answer to a node whose message is not as the protocol says."""
    if not error.pointer:
        return InvalidInput(str(error))
    return InvalidInput(errors=[FieldError(error.pointer, str(error))])


class NewerPoll(Conflict):
    """One request of a node may wait, the newest."""

    code, title = "newer_poll", "A newer request of this node waits for its state"


class CannotWait(Problem):
    """There is nothing new, and no place to wait for it. Nodes ask again a little later."""

    status, code, title = (
        503,
        "cannot_wait",
        "There is no newer state, and no place to wait for one",
    )
