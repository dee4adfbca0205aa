"""What one is told by mail, and what one watches."""

from placet_client.nouns.base import Listing, Noun, given
from placet_client.records import NoticePreferences, Watch


class Notices(Noun):
    """How you are told by mail of what concerns you."""

    def preferences(self) -> NoticePreferences:
        """Read how you are told of each kind of things, and whether there is a mail server."""
        return self._read(NoticePreferences, "/notices/preferences")

    def choose(self, kind: str, way: str, *, project: str = "") -> NoticePreferences:
        """Have mail of ``kind`` come ``now``, in the ``daily`` digest or not at all (``none``), in
        one project or in all; ``usual`` takes back what was chosen."""
        body = given(kind=kind, way=way, project=project)
        return self._do(NoticePreferences, "/notices/preferences", body)

    def watches(self, *, limit: int | None = None) -> Listing[Watch]:
        """List what you watch, and the releases of which you want no news, newest choice first."""
        return self._list(Watch, "/notices/watches", limit)

    def watch(self, *, project: str = "", release: str = "", is_on: bool = True) -> None:
        """Watch a project or a release; with ``is_on=False`` no longer."""
        body = given(project=project, release=release, is_on=is_on)
        self._http.request("POST", "/notices/watches", json=body)
