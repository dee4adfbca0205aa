"""Handing a release to an outsider: everything that they need to check it without us."""

from collections import deque

from django.db.models import Q

from apps.audit.actions import log_export
from apps.audit.models import Event
from apps.audit.queries.proofs import tlog_proofs
from apps.governance.actions.release_documents import failed, papers, verification_summary
from apps.governance.errors import NotVerifiable
from apps.governance.models import Release
from apps.identity.models import ApproverPasskey
from apps.identity.queries import authorize
from apps.serving.events_of_nodes import creation_of, joined, placed
from apps.serving.hooks import keeper
from placet.kernel.actor import Actor
from placet.kernel.keystore import keys_document, ring, root_public
from placet_verify.bundle import bundle, nodes
from placet_verify.errors import Refused
from placet_verify.log import events as proven
from placet_verify.permit.permit import envelopes
from placet_verify.statements import EnrolmentStatement, parse


def release_bundle(release: Release, actor: Actor) -> dict[str, bytes]:
    """Return the files of a release's bundle, as :mod:`placet_verify.bundle.bundle` reads them.

    Needs ``audit.export`` where the release belongs: it holds events of the log, and taking it is
    one. Raises ``NotYetSigned`` for the seconds until a checkpoint covers all of them, and
    :class:`NotVerifiable` for a release that was not approved: nothing is handed out that an
    outsider would have to refuse.
    """
    authorize(actor, "audit.export", release, view="release.view")
    try:
        files = _files(release)
        deque(bundle.verify(files, ring()), maxlen=0)
    except Refused as refusal:
        raise NotVerifiable(f"Nobody could verify it: {refusal.sentence}") from None
    events = sum(name.startswith("log/") for name in files)
    log_export(actor, form="bundle", count=events, project=release.project_id)
    return files


def _files(release: Release) -> dict[str, bytes]:
    documents = papers(release)
    events = _events(release, documents[bundle.PERMIT].decode("utf-8")) | _on_nodes(release)
    proofs = tlog_proofs(events.items())
    if failed(release):  # the permit is what it was: a summary that it failed is of another day
        del documents[bundle.ML_BOM]
    else:
        documents[bundle.SUMMARY] = verification_summary(release, documents)
    return {
        **documents,
        **nodes.papers(proven.read(events)),
        bundle.KEYS: keys_document().encode("utf-8"),
        bundle.ROOT: root_public().to_pem(),
        bundle.README: bundle.README_TEXT.encode("utf-8"),
    } | {f"log/{index}.tlog-proof": text.encode("utf-8") for index, text in proofs.items()}


def _on_nodes(release: Release) -> dict[int, str]:
    """Return what the log says of where the release went, what ran there, and what recalls it."""
    endpoint = release.endpoint
    return (
        creation_of(endpoint.pk)
        | joined([endpoint.target_id])
        | placed([release.pk])
        | keeper().events(release.pk, release.bento_id, endpoint)
    )


def _events(release: Release, permit: str) -> dict[int, str]:
    """Return what the log says of the release, its policy, and the passkeys that signed."""
    statements = [parse(envelope.payload) for _, envelope in envelopes(permit)]
    enrolled = [s.passkey.credential for s in statements if isinstance(s, EnrolmentStatement)]
    keys = ApproverPasskey.objects.filter(credential__in=enrolled).values_list("pk", flat=True)
    wanted = (
        Q(subject=release.pk)
        | Q(subject=release.policy_id, kind="policy.published.v1")
        | Q(subject__in=list(keys), kind="passkey.enrolled.v1")
    )
    rows = Event.objects.filter(wanted).order_by("index")
    return dict(rows.values_list("index", "body"))
