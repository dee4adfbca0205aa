"""Every write of identity. Each action: authorise, check, change, log, in one transaction."""

from apps.identity.actions.devices import (
    begin_device_login,
    collect_token,
    confirm_device_login,
    deny_device_login,
    find_device_login,
    forget_device_logins,
)
from apps.identity.actions.invitations import invite_person
from apps.identity.actions.passkeys import (
    ask_to_enrol,
    ask_to_offer,
    enrol_by_root,
    enrol_passkey,
    offer_passkey,
    withdraw_passkey,
    withdraw_removed,
)
from apps.identity.actions.people import (
    create_person,
    deactivate_person,
    erase_person,
    reactivate_person,
    setup_link,
    update_person,
)
from apps.identity.actions.positions import place_person
from apps.identity.actions.projects import create_project, update_project
from apps.identity.actions.roles import grant_role, revoke_role
from apps.identity.actions.saved_views import delete_view, save_view
from apps.identity.actions.second_factor import demand_second_factor, waive_second_factor
from apps.identity.actions.service_accounts import (
    change_owner,
    create_service_account,
    deactivate_service_account,
)
from apps.identity.actions.sessions import close_all_sessions, end_sessions, note_sign_in_event
from apps.identity.actions.teams import add_member, create_team, delete_team, remove_member
from apps.identity.actions.tokens import (
    TokenTerms,
    issue_token,
    note_token_use,
    revoke_token,
)

__all__ = [
    "TokenTerms",
    "add_member",
    "ask_to_enrol",
    "ask_to_offer",
    "begin_device_login",
    "change_owner",
    "close_all_sessions",
    "collect_token",
    "confirm_device_login",
    "create_person",
    "create_project",
    "create_service_account",
    "create_team",
    "deactivate_person",
    "deactivate_service_account",
    "delete_team",
    "delete_view",
    "demand_second_factor",
    "deny_device_login",
    "end_sessions",
    "enrol_by_root",
    "enrol_passkey",
    "erase_person",
    "find_device_login",
    "forget_device_logins",
    "grant_role",
    "invite_person",
    "issue_token",
    "note_sign_in_event",
    "note_token_use",
    "offer_passkey",
    "place_person",
    "reactivate_person",
    "remove_member",
    "revoke_role",
    "revoke_token",
    "save_view",
    "setup_link",
    "update_person",
    "update_project",
    "waive_second_factor",
    "withdraw_passkey",
    "withdraw_removed",
]
