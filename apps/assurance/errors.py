"""What assurance refuses, each with its code."""

from placet.kernel.problems import Conflict, Forbidden


class KeyInUse(Conflict):
    """What it signs from now on would not count either."""

    code, title = "key_in_use", "This key still signs: rotate it first, then recall it"


class NotVerifiable(Conflict):
    """An outsider would have to refuse the recall's report."""

    code, title = "not_verifiable", "What was signed about the recall cannot be shown"


class AlreadyLifted(Conflict):
    """The recall was lifted before."""

    code, title = "already_lifted", "This recall was lifted already"


class OwnRecall(Forbidden):
    """A recall is lifted by another person than the one who made it."""

    code, title = "own_recall", "A recall is lifted by another person than the one who made it"


class OwnDecisions(Forbidden):
    """Nobody gives his own decisions back."""

    code, title = "own_decisions", "A recall of your own decisions is lifted by somebody else"
