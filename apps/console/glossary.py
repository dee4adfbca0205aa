"""The words that pages explain: which they are, and the question that a link to each one asks.

What they mean stands in ``docs/glossary.md``, whose headings are the anchors.
"""

TERMS = {
    "alias": "What is an alias?",
    "build": "What is a build?",
    "digest": "What is a digest?",
    "e-value": "What is an e-value?",
    "emergency-release": "What is an emergency release?",
    "evidence": "What is evidence?",
    "explainability": "What is explainability?",
    "fairness": "What is fairness?",
    "gate": "What is a gate?",
    "legal-hold": "What is a legal hold?",
    "lineage": "What is lineage?",
    "model-card": "What is a model card?",
    "outbound-access": "What is outbound access?",
    "permit": "What is a permit?",
    "policy": "What is a policy?",
    "prediction-log": "What is the prediction log?",
    "recall": "What is a recall?",
    "receipt": "What is a receipt?",
    "release": "What is a release?",
    "retention-rule": "What is a retention rule?",
    "rollout": "What is a rollout?",
    "sbom": "What is an SBOM?",
    "scan": "What is a scan?",
    "separation-of-duties": "What is separation of duties?",
    "signature": "What is a signature?",
    "signing-passkey": "What is a signing passkey?",
    "smoke-test": "What is a smoke test?",
    "sticky-routing": "What is sticky routing?",
    "version": "What is a version?",
    "witness": "What is a witness?",
}
