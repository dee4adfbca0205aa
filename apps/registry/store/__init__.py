"""The content-addressed store: immutable blobs named by their SHA-256, in a folder or a bucket.

```
<artifacts>/sha256/ab/abcdef…   a blob: there only when complete   (or in the bucket)
<artifacts>/incoming/<name>     bytes on their way in; worth nothing until they are a blob
```
Bytes on their way in always lie on this machine's disk: an upload grows there chunk by chunk, and
its digest is known before a bucket hears of it. Nothing here knows the database, and none of it
may be called inside a transaction.
"""

from apps.registry.claims import claim  # the one thing that asks the database
from apps.registry.store.backend import Backend, Stored
from apps.registry.store.blobs import Store
from apps.registry.store.disk import room
from apps.registry.store.folder import BlobFolder
from apps.registry.store.staging import Readable, Staging
from placet.kernel.artifacts import BucketAddress
from placet.kernel.config import config


def store() -> Store:
    """Return the store of this installation; whoever puts into it is safe from the collector."""
    address = config().artifact_address
    if isinstance(address, BucketAddress):
        from apps.registry.store.bucket import Bucket  # the SDK is slow to import

        return Store(config().artifacts, Bucket(address), claim)
    return Store(address.path, claim=claim)


__all__ = ["Backend", "BlobFolder", "Readable", "Staging", "Store", "Stored", "room", "store"]
