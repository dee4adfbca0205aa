"""The refusals of builds."""

from placet.kernel.problems import Conflict, NotFound


class NotFinalised(Conflict):
    """Only frozen files can be built."""

    code, title = "not_finalised", "The version is a draft: finalise it before building it"


class OtherBuildOpen(Conflict):
    """The open build would make another Bento than the one asked for."""

    code = "build_open"
    title = (
        "A build of this version with the other choice of acceleration is open: wait or cancel it"
    )


class BuildEnded(Conflict):
    """There is nothing left to cancel."""

    code, title = "build_ended", "The build has ended already"


class PaperMissing(NotFound):
    """The document was not made, or its bytes are not in the store."""

    code, title = "document_missing", "This Bento has no such document"
