"""The refusals of the registry."""

from placet.kernel.problems import Conflict, Problem, TooLarge, Unprocessable


class NameTaken(Conflict):
    """Another object of this scope has the name."""

    code, title = "name_taken", "The name is taken"


class NotDraft(Conflict):
    """The version is finalised: its files and facts are frozen."""

    code, title = "not_draft", "The version is finalised and cannot be changed: create a new one"


class AlreadyFinalised(Conflict):
    """A second click on finalise: nothing was done."""

    code, title = "already_finalised", "The version is finalised already"


class ChangedMeanwhile(Conflict):
    """Somebody changed the version while it was being looked at."""

    code, title = "changed", "The version was changed meanwhile: read it again"


class NotReady(Unprocessable):
    """The version lacks something that a finalised one must have; ``errors`` say what."""

    code, title = "not_ready", "The version is not ready to be finalised"


class FormatUnknown(Unprocessable):
    """No format of this release reads these files."""

    code, title = "format_unknown", "The files are in no format that Placet knows"


class PathTaken(Conflict):
    """The version holds another file at this path."""

    code, title = "path_taken", "Another file has this path: delete it first"


class IsParent(Conflict):
    """Another version was made from this one."""

    code, title = "is_parent", "Another version names it as its parent"


class UploadBusy(Conflict):
    """Another request writes to this upload at the moment."""

    code, title = "upload_busy", "Another request is writing to this upload"


class OffsetMismatch(Conflict):
    """The chunk does not start where the received bytes end."""

    code, title = "offset_mismatch", "The chunk does not start where the received bytes end"


class UploadIncomplete(Conflict):
    """The upload lacks bytes."""

    code, title = "upload_incomplete", "The upload is not complete"


class WrongMediaType(Problem):
    """A chunk came as something else than raw bytes."""

    status, code = 415, "unsupported_media_type"
    title = "Send chunks as application/offset+octet-stream"


class DigestMismatch(Unprocessable):
    """The bytes received are not those announced; they were dropped."""

    code, title = "digest_mismatch", "The bytes do not have the announced SHA-256"


class ArchiveRefused(Unprocessable):
    """The archive is broken or holds what may not be unpacked; nothing of it was kept."""

    code, title = "archive_refused", "The archive was refused"


class StorageFull(Problem):
    """The artifact store has no room; nothing was half-done."""

    status, code, title = 507, "storage_full", "The artifact store is full"


class QuotaExceeded(TooLarge):
    """The project may not keep that many bytes; nothing was stored."""

    code, title = "quota_exceeded", "The project's storage quota is used up"


class BlobSwept(Conflict):
    """The bytes are just being collected: in a moment they can be put anew."""

    code, title = "blob_swept", "These bytes are just being collected: try again in a moment"


class StoreUnavailable(Problem):
    """The artifact store does not answer, or refuses us; nothing was half-done."""

    status, code, title = 503, "store_unavailable", "The artifact store does not answer"


class BlobMissing(Problem):
    """The store does not hold a blob that the database names."""

    status, code, title = 500, "blob_missing", "The file is not in the artifact store"


class BlobCorrupt(Problem):
    """A blob's bytes do not have its digest any more."""

    status, code, title = 500, "blob_corrupt", "The file in the artifact store is damaged"


class KeyKnown(Conflict):
    """The project has this key, or another one with this label; a revoked one stays revoked."""

    code, title = "key_known", "The project has this key or label already"


class KeyRevoked(Conflict):
    """A second click on revoke: nothing was done."""

    code, title = "key_revoked", "The key is revoked already"


class AliasManaged(Conflict):
    """The alias belongs to an endpoint and is moved by releases alone."""

    code, title = "alias_managed", "The alias belongs to an endpoint: only a release moves it"
