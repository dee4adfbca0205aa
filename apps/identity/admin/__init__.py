"""The access administration: projects, people, teams, service accounts, roles, tokens."""

from apps.identity.admin.access import RoleAdmin, TokenAdmin
from apps.identity.admin.people import PersonAdmin, ServiceAccountAdmin, TeamAdmin
from apps.identity.admin.positions import PositionAdmin
from apps.identity.admin.projects import ProjectAdmin

__all__ = [
    "PersonAdmin",
    "PositionAdmin",
    "ProjectAdmin",
    "RoleAdmin",
    "ServiceAccountAdmin",
    "TeamAdmin",
    "TokenAdmin",
]
