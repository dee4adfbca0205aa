"""What a node and the platform say to each other, and how a request is signed.

All of it is HTTP and JSON under ``<platform URL>/agent/v1/``. Digests inside JSON are written
``sha256:<64 hex>``; in a path only the 64 hex digits stand. Times are RFC 3339 in UTC.

``GET keys``
    Open to everybody. ``{"v": 1, "root_public": <base64 of 32 bytes>, "keys": <DSSE envelope>}``;
    the envelope is ``keys.json``, signed by the root key. Asked before joining (the node compares
    ``sha256(root_public)`` with the fingerprint in its token, and pins it) and whenever a state
    is signed by a key the node does not know yet. A lower ``number`` is refused by the node.

``POST join``
    ``JoinRequest`` → 201 ``JoinReply``. The token that people see is ``<secret>.<fingerprint>``;
    ``fingerprint`` is the SHA-256 (64 hex) of the raw root public key. Only ``<secret>`` is sent.
    The request is signed by the new node key without ``Placet-Node``: proof of possession. The
    same secret with the same public key answers again with the same node (a reply may be lost);
    with another key it is 403.

``GET state?epoch=E&number=N&wait=S``
    E and N: what the node has verified and stored (0 and 0 at first). 200 with the DSSE envelope
    (payload type ``dsse.STATE``) as soon as there is a state other than (E, N), 204 after S
    seconds without one. The node refuses a lower (epoch, number) and says so in its report.
    One such request of a node waits at a time: another ends it with 409 ``newer_poll``. 503
    ``cannot_wait``: there is nothing new and no place to wait. Both mean: ask again a little later.

    A revision of the state may carry ``serving``, the approved configuration; the node compares
    what it is to run (``memory_mb``, ``variables``) with the one inside the permit instead.
    ``wanted``: ``run``; ``drain`` (no new requests, replicas stay until told to stop; reported
    ``drained`` when no request is under way); ``stop``. A revision that left the state is stopped.
    Two revisions of an endpoint at most have a weight; a weight takes effect when the revision
    has a ready replica, until then what served before goes on.

    An endpoint may name its ``stable`` revision (else the node remembers which served first), and
    a revision its ``salt``. When the permit's serving configuration has a ``unit`` the split is by
    unit: see ``placet_verify.units``. One revision may have a ``header_route`` (a request with this
    ``value`` in this ``header`` goes there, at weight 0 too), one a ``mirror`` (of so many of
    10,000 requests to stable it gets a copy). A state without these members splits per request.

    A revision that is tried out may have a ``guard``: when one of its rules is broken the node
    gives all requests to ``stable``, by itself and for good. It says so in ``aborts`` of every
    report, until a state no longer has the revision or gives weight to a third one.

    ``recalled`` are Bentos that must not run now. ``recalls`` are envelopes of the statements
    ``recall`` and ``recall-lifted`` (``placet_verify.statements.recall``), each signed by the
    ``decision`` key: the node keeps all it ever saw, and goes by them whatever a later state says.

    A state is read in parts (``placet_protocol.state``). ``recalls``, ``recalled`` and
    ``checkpoint`` come first, whatever the rest is. A fault in a revision refuses that revision,
    one of an endpoint leaves that endpoint out and what serves there goes on, and only a fault of
    the frame refuses the state. Members that are not known are passed over; what a revision cannot
    do without it names in ``needs``, words of ``features``: an agent that does not know one refuses
    the revision.

    A node says in ``features`` of its platform what it knows. One that does not name ``unit``
    splits per request whatever was approved, so the platform starts no such revision there.

``POST report``
    Body: a DSSE envelope (payload type ``dsse.REPORT``) signed by the node key, holding a
    ``Report``. 200 ``ReportReply``. ``number`` rises with every report, restarts included; a
    report with a number that is not higher is 409 ``stale_report`` with ``number`` beside it. One
    with more metric windows than a minute has room for is 429 ``too_many_windows``: nothing of it
    was taken, and one without windows is.
    ``receipts`` are envelopes of the statements ``ran`` and ``recall-stopped``, signed by the node
    key, sent until a report with them was answered; absent in what older agents send.
    ``isolation`` of a revision says how its replicas are kept apart: ``socket``, ``link``,
    ``shared``, ``older``, or '' when none runs; ``bwrap`` of older agents is ``older``. ``egress``
    counts what went to each approved destination, at most 32. ``network`` of the platform is
    ``own`` or ``host``, and absent in what older agents send: ``host``.
    Metric windows may come twice: (revision, started_at) names one; ``first`` and ``apart`` are
    absent in what older agents send.

``POST captures?revision=R&file=F&offset=N``
    Body: zlib of whole lines of one file of captured predictions, from byte N of the file on, at
    most ``CAPTURE_BYTES`` before compression. 201 ``{"v": 1, "offset": M}`` when they were new, 409
    ``other_offset`` with ``offset`` beside it when the platform has the file up to another byte:
    the node goes on from there. So each byte arrives once, however often it is sent, and the node
    need not remember what it sent. 404 for a revision that is not this node's.

``GET blobs/<sha256>``
    The bytes of a Bento archive or a wheel that this node's state names (wheels: through a
    runtime of a revision or of ``prefetch``). 404 for any other.

``GET secrets/<revision>/<name>/<value>``
    ``SealedReply``: the value of a secret that this revision of the node's state names, sealed for
    the X25519 key that stands in the platform of its report (``placet_protocol.node_secrets``).
    404 for any other, for a former value, and while it is not sealed yet: the node asks again.
    ``secrets`` of a revision's report are the values that its replicas were given.

``GET runtimes/<digest hex>``
    ``RuntimeManifest``; the digest is the canonical digest of ``{"python_version", "lock"}``.

Every request but ``keys`` carries ``Placet-Node`` (not at join), ``Placet-Time`` and
``Placet-Signature``: base64 of Ed25519 over ``METHOD\\npath?query\\ntime\\nsha256hex(body)``, with
``path?query`` exactly as sent (``/agent/v1/state?epoch=0&number=0&wait=20``). The platform refuses
a time more than ``MAX_SKEW_SECONDS`` from its own. Refusals are ``application/problem+json``.
"""

PREFIX = "/agent/v1/"
