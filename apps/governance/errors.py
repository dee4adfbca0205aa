"""What governance refuses, each with its code."""

from placet.kernel.problems import Conflict, Forbidden, Unprocessable


class EnvironmentExists(Conflict):
    """The project has an environment of this name."""

    code, title = "environment_exists", "An environment with this name exists"


class InvalidPolicy(Unprocessable):
    """The source is not a policy; ``errors`` name line and member."""

    code, title = "invalid_policy", "The policy is not valid"


class BypassOpened(Conflict):
    """A change of access would let fewer people than a policy demands get through."""

    code, title = "bypass", "Fewer people than a policy demands could have a release approved"


class LockedOut(Unprocessable):
    """Nobody could satisfy the policy; ``detail`` names the gates and how many people there are."""

    code, title = "locked_out", "Nobody could satisfy this policy"


class NotDraft(Conflict):
    """The policy revision is published or withdrawn: it never changes again."""

    code, title = "not_draft", "This policy revision is no longer a draft"


class OldDraft(Conflict):
    """A revision with a higher number was published meanwhile."""

    code, title = (
        "old_draft",
        "A newer policy revision was published: draft it again on top of that",
    )


class OwnDraft(Forbidden):
    """A policy is published by somebody else than its drafter."""

    code, title = "own_draft", "A policy must be published by someone other than its author"


class NoPolicy(Conflict):
    """The environment has no published policy, so nothing passes."""

    code, title = "no_policy", "The environment has no published policy: nothing can be released"


class NotFinalised(Conflict):
    """The version is a draft."""

    code, title = "not_finalised", "The version is still a draft: finalise it first"


class NotBuilt(Conflict):
    """The version has no Bento, so that nobody can say what would run."""

    code, title = "not_built", "The version has no build yet: build it first"


class NoEndpoint(Unprocessable):
    """There is no such endpoint, and none can be made without being told where."""

    code, title = "no_endpoint", "No such endpoint here, and it cannot be created automatically"


class DoesNotFit(Unprocessable):
    """The target cannot run this serving configuration; ``errors`` say why."""

    code, title = "does_not_fit", "The target cannot run this"


class AlreadyOpen(Conflict):
    """Another release would put the same Bento behind the same endpoint."""

    code, title = "already_open", "This build already has an open release to this endpoint"


class WrongState(Conflict):
    """The release's state does not allow this; somebody may have been first."""

    code, title = "release_state", "The release is in another state"


class Changed(Conflict):
    """The person decided on another request than the one that stands now."""

    code, title = "changed", "The release changed since you opened it: reload the page"


class Separation(Forbidden):
    """The requester and the author of the version do not decide."""

    code, title = (
        "separation_of_duties",
        "You requested this release or created its version: others decide",
    )


class NotIndependent(Forbidden):
    """The person does not stand where the policy demands it; ``detail`` says why."""

    code, title = "not_independent", "The policy's rules about independence do not count you"


class NoRole(Forbidden):
    """The person holds no role that decides here (any more)."""

    code, title = "no_role", "You have no role that can decide on this release"


class ApprovalNotAsked(Forbidden):
    """The policy asks for no approval of the role that the person decides as."""

    code, title = "approval_not_asked", "The policy does not ask for your approval"


class NoBreakGlass(Forbidden):
    """The policy lets nobody break the glass."""

    code, title = "no_break_glass", "This environment's policy allows no emergency releases"


class NobodyCoSigns(Unprocessable):
    """Too few others could co-sign an emergency release; ``detail`` says how many it takes."""

    code, title = "no_co_signers", "Too few people could co-sign it"


class WrongBreakGlassState(Conflict):
    """The break-glass's state does not allow this; somebody may have been first."""

    code, title = "break_glass_state", "This emergency release is in another state"


class ReviewOverdue(Conflict):
    """An earlier break-glass was not reviewed in time."""

    code, title = "review_overdue", "An earlier emergency release was not reviewed in time"


class OwnBreakGlass(Forbidden):
    """Whoever took part in a break-glass does not do the next step of it."""

    code, title = "own_break_glass", "You took part in this emergency release"


class AlreadyDecided(Conflict):
    """One decision per person."""

    code, title = "already_decided", "You have decided on this release already"


class ChangesRequested(Conflict):
    """Somebody's request for changes stands: nothing lets the release start before it is lifted."""

    code, title = "changes_requested", "Changes were requested: the release is held"


class GatesFailed(Conflict):
    """A gate has not passed; ``errors`` name each with its reason."""

    code, title = "gates_failed", "Not all gates of the policy have passed"


class Expired(Conflict):
    """The right to start this release has ended."""

    code, title = "expired", "The release was not started in time: request it again"


class PermitInvalid(Conflict):
    """The permit does not hold; ``code`` is the verifier's."""

    code, title = "permit_refused", "The permit does not hold"


class NotVerifiable(Conflict):
    """An outsider would have to refuse the release's bundle."""

    code, title = "not_verifiable", "The release cannot be shown to have been approved"
