"""The predicate types of what Placet signs. Version 1 of each stays readable for ever."""

POLICY_TYPE = "https://placet.dev/policy/v1"
PASSKEY_POLICY_TYPE = "https://placet.dev/policy/v2"
REQUEST_TYPE = "https://placet.dev/request/v1"
DECISION_TYPE = "https://placet.dev/decision/v1"
PASSKEY_DECISION_TYPE = "https://placet.dev/decision/v2"
BREAK_GLASS_TYPE = "https://placet.dev/break-glass/v1"
PASSKEY_BREAK_GLASS_TYPE = "https://placet.dev/break-glass/v2"
STANDING_DECISION_TYPE = "https://placet.dev/standing-decision/v1"
STANDING_PASSKEY_TYPE = "https://placet.dev/standing-decision/v2"
ENROLMENT_TYPE = "https://placet.dev/enrolment/v1"
ROOT_ENROLMENT_TYPE = "https://placet.dev/root-enrolment/v1"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
RECALL_TYPE = "https://placet.dev/recall/v1"
LIFT_TYPE = "https://placet.dev/recall-lifted/v1"
RAN_TYPE = "https://placet.dev/ran/v1"
STOPPED_TYPE = "https://placet.dev/recall-stopped/v1"

GOVERNANCE = (
    POLICY_TYPE,
    PASSKEY_POLICY_TYPE,
    REQUEST_TYPE,
    DECISION_TYPE,
    PASSKEY_DECISION_TYPE,
    BREAK_GLASS_TYPE,
    PASSKEY_BREAK_GLASS_TYPE,
    STANDING_DECISION_TYPE,
    STANDING_PASSKEY_TYPE,
    ENROLMENT_TYPE,
    RECALL_TYPE,
    LIFT_TYPE,
    SUMMARY_TYPE,
)
