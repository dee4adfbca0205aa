"""Rollback drills."""

from placet_client.nouns.base import Listing, Noun, at
from placet_client.records import Drill, DrillSchedule


class Drills(Noun):
    """Rehearsals of rollbacks, by the endpoint's id."""

    def list(self, endpoint: str, *, limit: int | None = None) -> Listing[Drill]:
        """List the drills of an endpoint, newest first."""
        return self._list(Drill, at("endpoints", endpoint, "drills"), limit)

    def run(self, endpoint: str) -> Drill:
        """Roll an endpoint back and return, to see that it works."""
        return self._do(Drill, at("endpoints", endpoint, "drills"))

    def schedule(self, endpoint: str) -> DrillSchedule:
        """Read when the drills of an endpoint come round."""
        return self._read(DrillSchedule, at("endpoints", endpoint, "drill-schedule"))

    def set_schedule(
        self, endpoint: str, *, every_days: int, hour: int, if_match: str = ""
    ) -> DrillSchedule:
        """Have a drill run every so many days at this hour, UTC."""
        path = at("endpoints", endpoint, "drill-schedule")
        body = {"every_days": every_days, "hour": hour}
        return self._change(DrillSchedule, "PUT", path, body, if_match, new=True)

    def remove_schedule(self, endpoint: str, *, if_match: str = "") -> None:
        """Have no more drills run by themselves."""
        self._delete(at("endpoints", endpoint, "drill-schedule"), if_match)
