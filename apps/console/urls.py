"""Routes of the pages."""

from django.urls import path

from apps.console.views import (
    alerts,
    audit,
    builds,
    home,
    models,
    policies,
    predictions,
    releases,
    rollouts,
    search,
    serving,
    tokens,
)

VERSION = "models/<slug:project>/<slug:name>/<int:number>/"
ROLLOUT = "rollouts/<str:rollout_id>/"
ENDPOINT = "endpoints/<str:endpoint_id>/"
PLACE = "policies/<slug:project>/<slug:environment>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("search/", search.find, name="search"),
    path("models/", models.models, name="models"),
    path("models/new", models.new_model, name="model-new"),
    path("models/<slug:project>/<slug:name>/", models.model, name="model"),
    path("models/<slug:project>/<slug:name>/compare/", models.compare, name="compare"),
    path(VERSION, models.version, name="version"),
    path(VERSION + "build", models.build, name="version-build"),
    path(VERSION + "finalise", models.finalise_version, name="version-finalise"),
    path(VERSION + "alias", models.alias, name="version-alias"),
    path(VERSION + "tags", models.tags, name="version-tags"),
    path(VERSION + "card", models.card, name="version-card"),
    path("builds/<str:build_id>/", builds.build, name="build"),
    path("builds/<str:build_id>/cancel", builds.cancel, name="build-cancel"),
    path("releases/", releases.release_list, name="releases"),
    path("releases/new/", releases.ask, name="release-new"),
    path("releases/request", releases.request_new, name="release-request"),
    path("releases/<str:release_id>/", releases.release_detail, name="release"),
    path("releases/<str:release_id>/decide", releases.decision, name="release-decide"),
    path("releases/<str:release_id>/comment", releases.remark, name="release-comment"),
    path("releases/<str:release_id>/withdraw", releases.take_back, name="release-withdraw"),
    path("releases/<str:release_id>/start", releases.roll_out, name="release-start"),
    path(ROLLOUT, rollouts.rollout, name="rollout"),
    path(ROLLOUT + "abort", rollouts.abort_rollout, name="rollout-abort"),
    path(ROLLOUT + "do/<slug:step_verb>", rollouts.control, name="rollout-control"),
    path(
        ROLLOUT + "disagreements/", predictions.disagreements, name="rollout-disagreements"
    ),
    path("endpoints/", serving.endpoints, name="endpoints"),
    path(ENDPOINT, serving.endpoint, name="endpoint"),
    path(ENDPOINT + "rollback", serving.roll_back, name="endpoint-rollback"),
    path(ENDPOINT + "scale", serving.scale, name="endpoint-scale"),
    path(ENDPOINT + "keys", serving.new_key, name="endpoint-key-new"),
    path(ENDPOINT + "keys/<str:key_id>/revoke", serving.revoke_key, name="endpoint-key-revoke"),
    path(ENDPOINT + "do/<slug:verb>", serving.operate, name="endpoint-operate"),
    path(ENDPOINT + "predictions/", predictions.captured, name="endpoint-predictions"),
    path(ENDPOINT + "erase", predictions.erase, name="endpoint-erase"),
    path(ENDPOINT + "objective", alerts.objective, name="endpoint-objective"),
    path("alerts/", alerts.alert_list, name="alerts"),
    path("alerts/<str:alert_id>/acknowledge", alerts.take_on, name="alert-acknowledge"),
    path("alerts/<str:alert_id>/resolve", alerts.end, name="alert-resolve"),
    path("targets/", serving.targets, name="targets"),
    path("targets/new", serving.new_target, name="target-new"),
    path("targets/<slug:name>/join-token", serving.join_token, name="target-join-token"),
    path("audit/", audit.log, name="audit"),
    path("audit/verify", audit.verify, name="audit-verify"),
    path("audit/verification/", audit.verification, name="audit-verification"),
    path("audit/<int:index>/", audit.event, name="audit-event"),
    path("policies/", policies.policy_list, name="policy-list"),
    path(PLACE, policies.policies, name="policies"),
    path(PLACE + "draft", policies.draft, name="policy-draft"),
    path(PLACE + "<int:number>/decide", policies.decide_draft, name="policy-decide"),
    path(PLACE + "freeze", policies.freeze, name="freeze-set"),
    path("freezes/<str:freeze_id>/lift", policies.lift, name="freeze-lift"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/new", tokens.new_token, name="token-new"),
    path("tokens/<str:token_id>/end", tokens.end_token, name="token-end"),
]  # fmt: skip
