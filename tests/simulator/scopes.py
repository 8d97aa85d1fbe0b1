"""Which scopes an OAuth token needs for an operation."""

from tests.simulator.answers import HubSpotError
from tests.simulator.faulty import MISSING_SCOPES
from tests.simulator.model.world import Grant

_READS = ("list", "get", "batch_read", "search", "labels", "dispositions", "groups", "group")
_GUARDED = ("calls", "associations")


def check_scopes(grant: Grant, operation: str) -> None:
    """Refuse an OAuth token without the scope that calls need, which is that of contacts.

    Raises:
        HubSpotError: 403, naming a scope that would do.
    """
    family, _, deed = operation.partition(".")
    if grant.kind != "oauth" or family not in _GUARDED:
        return
    ending = "read" if deed in _READS else "write"
    wanted = {f"crm.objects.contacts.{ending}", f"crm.objects.calls.{ending}"}
    if wanted.isdisjoint(grant.scopes):
        message = "This app hasn't been granted all required scopes to make this call."
        raise HubSpotError(403, "MISSING_SCOPES", message, errors=MISSING_SCOPES)
