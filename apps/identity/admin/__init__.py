"""The access administration: people, teams, service accounts, roles and tokens."""

from apps.identity.admin.access import RoleAdmin, TokenAdmin
from apps.identity.admin.people import PersonAdmin, ServiceAccountAdmin, TeamAdmin

__all__ = ["PersonAdmin", "RoleAdmin", "ServiceAccountAdmin", "TeamAdmin", "TokenAdmin"]
