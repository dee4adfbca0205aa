"""What a build writes down beside a service, which the worker writes and nodes read: how much."""

from placet_verify import canonical

NAME = "placet.json"
PATH = f"src/{NAME}"  # inside the Bento
# 10,000 columns, the most that a service is made for, have 3 MB with names of 200 letters; names
# in a script whose letters JSON escapes come to three times what a request of 2 MiB may hold.
MAX_BYTES = 8 << 20
# of memory: more than a version may weigh, since what it leaves out is written here
MAX_WEIGHT = 48 << 20


def fit(raw: bytes) -> bool:
    """Tell whether a node reads so much: agents stand outside every sandbox."""
    return len(raw) <= MAX_BYTES and canonical.weight(raw) <= MAX_WEIGHT
