"""Secrets of projects, and the box that they are in."""

from __future__ import annotations

from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import StoredVariable
from hookline_service.model.secret import Secret
from hookline_service.use_cases.secrets import SecretBox, SecretPlace
from tests.builders.moments import START


def a_box() -> SecretBox:
    """The box of an installation; every one opens what another sealed."""
    return SecretBox((bytes(range(32)),))


def a_secret(project_id: ProjectId, text: str, name: str = "TOKEN") -> StoredVariable:
    """A secret variable as it is stored."""
    place = SecretPlace(project_id=project_id, scope="", name=name)
    return StoredVariable(
        project_id=project_id,
        scope="",
        name=name,
        value=a_box().seal(place, Secret(text)),
        is_secret=True,
        description="",
        updated_at=START,
    )
