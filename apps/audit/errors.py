"""Refusals of the app."""

from placet.kernel.problems import Conflict, Problem


class OwnErasure(Conflict):
    """Somebody asked to erase themselves."""

    code, title = "own_erasure", "Somebody else must erase you"


class NotYetSigned(Conflict):
    """The event is in the log, but no checkpoint covers it yet."""

    code, title = "not_yet_signed", "The next checkpoint, in a few seconds, will cover it"


class LogRewritten(Problem):
    """The database does not continue the checkpoint that was kept outside it."""

    status, code, title = 500, "log_rewritten", "The log is not the one that was signed before"


class NameTaken(Conflict):
    """Another witness is called so."""

    code, title = "name_taken", "Another witness has this name"


class KeyTaken(Conflict):
    """The log is witnessed by this key already."""

    code, title = "key_taken", "This key of a log is witnessed already"


class WitnessKeyMissing(Problem):
    """This installation cannot cosign: its key is not there."""

    status, code, title = 503, "witness_key_missing", "This installation has no witness key"


class Archived(Problem):
    """The event's body was moved into a file; the detail names it by its digest."""

    status, code, title = 410, "archived", "This event was archived"


class NothingToArchive(Conflict):
    """No event may be archived now; the detail says why."""

    code, title = "nothing_to_archive", "There is nothing to archive"


class ArchiveOvertaken(Conflict):
    """A hold was placed, or somebody fell back, while the file was written."""

    code, title = "archive_overtaken", "What may be archived changed meanwhile: run it again"
