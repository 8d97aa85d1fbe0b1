"""Which properties and groups an account defines, and how that changes."""

import re

from tests.simulator.model.definitions import (
    CALL_GROUP,
    Definition,
    Group,
)
from tests.simulator.model.properties import DEFINITIONS

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


class CatalogueError(Exception):
    """A change that HubSpot refuses: status, category, message."""

    def __init__(self, status: int, category: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.category = category


class Catalogue:
    """The properties of one account's calls, those of HubSpot first."""

    def __init__(self) -> None:
        self.live: dict[str, Definition] = dict(DEFINITIONS)
        """What can be read and written."""
        self.archived: dict[str, Definition] = {}
        self.groups: dict[str, Group] = {CALL_GROUP.name: CALL_GROUP}

    def add(self, definition: Definition) -> Definition:
        """Define a property.

        Raises:
            CatalogueError: its name is taken or malformed, or its group is unknown.
        """
        if not _NAME.fullmatch(definition.name):
            message = "Property names are lower-case letters, digits and underscores"
            raise CatalogueError(400, "VALIDATION_ERROR", message)
        if definition.name in self.live:
            message = f"A property named '{definition.name}' already exists."
            raise CatalogueError(409, "OBJECT_ALREADY_EXISTS", message)
        self._must_have_group(definition.group_name)
        self.archived.pop(definition.name, None)
        self.live[definition.name] = definition
        return definition

    def change(self, definition: Definition) -> Definition:
        """Put a changed definition in the place of the one of that name."""
        if self.find(definition.name).hubspot_defined:
            message = f"{definition.name} is defined by HubSpot and cannot be changed"
            raise CatalogueError(400, "VALIDATION_ERROR", message)
        self._must_have_group(definition.group_name)
        self.live[definition.name] = definition
        return definition

    def find(self, name: str, *, archived: bool = False) -> Definition:
        """Return a definition.

        Raises:
            CatalogueError: 404, there is none.
        """
        found = (self.archived if archived else self.live).get(name)
        if found is None:
            message = f"Property {name[:80]} does not exist"
            raise CatalogueError(404, "OBJECT_NOT_FOUND", message)
        return found

    def archive(self, definition: Definition) -> None:
        """Take a property of the account's own away; `definition` says when."""
        if definition.hubspot_defined:
            message = f"{definition.name} is defined by HubSpot and cannot be archived"
            raise CatalogueError(400, "VALIDATION_ERROR", message)
        del self.live[definition.name]
        self.archived[definition.name] = definition

    def find_group(self, name: str) -> Group:
        """Return a group.

        Raises:
            CatalogueError: 404, there is none.
        """
        group = self.groups.get(name)
        if group is None:
            message = f"Property group {name[:80]} does not exist"
            raise CatalogueError(404, "OBJECT_NOT_FOUND", message)
        return group

    def add_group(self, group: Group) -> Group:
        """Define a group."""
        if not _NAME.fullmatch(group.name):
            message = "Group names are lower-case letters, digits and underscores"
            raise CatalogueError(400, "VALIDATION_ERROR", message)
        if group.name in self.groups:
            message = f"A property group named '{group.name}' already exists."
            raise CatalogueError(409, "OBJECT_ALREADY_EXISTS", message)
        self.groups[group.name] = group
        return group

    def archive_group(self, name: str) -> None:
        """Take an empty group away."""
        self.find_group(name)
        if any(definition.group_name == name for definition in self.live.values()):
            message = f"Property group {name} still has properties"
            raise CatalogueError(400, "VALIDATION_ERROR", message)
        del self.groups[name]

    def _must_have_group(self, name: str) -> None:
        if name not in self.groups:
            message = f"Property group {name[:80]} does not exist"
            raise CatalogueError(400, "VALIDATION_ERROR", message)
