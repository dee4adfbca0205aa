"""What assurance refuses, each with its code."""

from placet.kernel.problems import Conflict, Forbidden, Problem


class KeyInUse(Conflict):
    """What it signs from now on would not count either."""

    code, title = "key_in_use", "This key still signs: rotate it first, then recall it"


class NotVerifiable(Conflict):
    """An outsider would have to refuse the recall's report."""

    code, title = "not_verifiable", "What was signed about the recall cannot be shown"


class AlreadyLifted(Conflict):
    """The recall was withdrawn before."""

    code, title = "already_lifted", "This recall was already withdrawn"


class OwnRecall(Forbidden):
    """A recall is withdrawn by another person than the one who made it."""

    code, title = "own_recall", "A recall is withdrawn by someone other than who made it"


class OwnDecisions(Forbidden):
    """Nobody gives their own decisions back."""

    code, title = (
        "own_decisions",
        "A recall of your own decisions must be withdrawn by someone else",
    )


class HoldNameTaken(Conflict):
    """Names of holds are not used again: they stand in letters of courts."""

    code, title = "hold_name_taken", "Another hold has this name, or had it"


class HoldLifted(Conflict):
    """The hold was lifted before."""

    code, title = "hold_lifted", "This hold was lifted already"


class OwnHold(Forbidden):
    """A hold must be lifted by someone other than the person who placed it."""

    code, title = "own_hold", "A hold must be lifted by someone other than the person who placed it"


class NotTheOwner(Problem):
    """Archiving deletes rows of the log, which the application's role may not."""

    status, code = 403, "not_the_owner"
    title = "Only the role that owns the tables archives: set PLACET_DATABASE_OWNER_URL"
