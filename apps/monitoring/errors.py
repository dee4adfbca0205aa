"""Refusals of this app."""

from placet.kernel.problems import Conflict
from placet_protocol.captures import OTHER_OFFSET


class AlertMoved(Conflict):
    """Somebody else took it on, or it is resolved."""

    code, title = "alert_moved", "The alert is no longer in that state"


class ResolvesItself(Conflict):
    """The condition is measured, so the alert ends when the condition does."""

    code, title = "resolves_itself", "This alert is resolved when what it says is no longer so"


class CaptureMoved(Conflict):
    """Somebody else stored or erased predictions meanwhile; nothing was written: try again."""

    code, title = "capture_moved", "What was captured was written anew meanwhile"


class NothingCaptured(Conflict):
    """Outcomes are matched with captured predictions, and nothing here was ever to be captured."""

    code, title = "nothing_captured", "No revision of the endpoint captures predictions"

    def __init__(self) -> None:
        super().__init__("Outcomes are matched with them: ask for a release with serving.capture")


class OtherOffset(Conflict):
    """Those bytes of a file came before, or others are missing before them."""

    code, title = OTHER_OFFSET, "The file is known up to another byte"

    def __init__(self, offset: int) -> None:
        super().__init__(f"Go on from byte {offset}")
        self.offset = offset

    def body(self, *, request_id: str, instance: str = "") -> dict[str, object]:
        """Say the offset, so that the node can go on from there."""
        return {**super().body(request_id=request_id, instance=instance), "offset": self.offset}
