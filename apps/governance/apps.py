"""Registers the app, and takes part in what apps below it do."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Settings of the app."""

    name = "apps.governance"
    label = "governance"

    def ready(self) -> None:
        """Give new projects their environments, refuse endpoints outside of them, follow what
        becomes of those, look on when people may do more than before, end what nobody answers for
        any more and the absence of who is deactivated, tell who decides to who sees releases, and
        have releases and policies discussed.
        """
        from apps.builds import hooks as builds
        from apps.discussions import hooks as discussions
        from apps.governance.actions.absences import end_absence_of
        from apps.governance.actions.after_deletion import needed_by_release, retire
        from apps.governance.actions.after_stop import serve_anew
        from apps.governance.actions.break_glass_ends import end_started_by
        from apps.governance.actions.duties import watch_duties
        from apps.governance.actions.environments import (
            check_endpoint,
            create_project_defaults,
            stops_when_expired,
        )
        from apps.governance.discussed import discussed
        from apps.governance.queries import bentos_needed
        from apps.governance.queries.deciders import roles_told
        from apps.governance.queries.named_filters import has_environment
        from apps.identity import hooks as identity
        from apps.serving import hooks as serving

        identity.project_created.register(create_project_defaults)
        identity.person_deactivated.register(end_absence_of)
        identity.around_more_access.register(watch_duties)
        identity.person_leaves.register(end_started_by)
        identity.roles_told.register(roles_told)
        serving.endpoint_created.register(check_endpoint)
        serving.has_environment.register(has_environment)
        serving.endpoint_needed.register(needed_by_release)
        serving.endpoint_deleted.register(retire)
        serving.endpoint_started.register(serve_anew)
        serving.stops_when_expired.register(stops_when_expired)
        builds.bentos_needed.register(bentos_needed)
        discussions.subject_kinds.register(discussed)
