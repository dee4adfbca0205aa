"""Takes a copy of the audit log over the API, in the form that the offline verifier reads."""

import json
from pathlib import Path

from placet_client.client import Client

PAGE = 500


def download(client: Client, folder: Path) -> tuple[int, str]:
    """Write the log up to its newest checkpoint into ``folder``; return its size and root (hex).

    Leaves that the token's owner may not read come as hashes alone, which is enough to check
    that nothing was changed. Raises ``PlacetError`` while there is no checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    head = client.audit.checkpoint()
    (folder / "checkpoint.txt").write_text(head.note, "utf-8")
    if head.cosigned is not None:
        (folder / "cosigned.txt").write_text(head.cosigned.note, "utf-8")
    (folder / "keys.json").write_bytes(client.audit.keys())
    (folder / "root.pub").write_bytes(client.audit.root_key())
    with (folder / "events.jsonl").open("w", encoding="utf-8", newline="") as out:
        start = 0
        while start < head.size:
            page = client.audit.leaves(start=start, limit=min(PAGE, head.size - start))
            if not page.items:  # the server has fewer leaves than it signed: verifying says so
                break
            for leaf in page.items:
                line = {"index": leaf.index, "body": leaf.body, "leaf_hash": leaf.leaf_hash}
                out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            start += len(page.items)
    return head.size, head.root
