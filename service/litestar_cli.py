"""Makes `litestar run` serve as `callstream service` does."""

from click import Group
from litestar.plugins import CLIPlugin


class RunsOnGranian(CLIPlugin):
    """Puts our way of serving in the place of Litestar's, which asks for uvicorn."""

    def on_cli_init(self, cli: Group) -> None:
        """Take over `run`, with the options of `callstream service`."""
        from service.cli.service import service  # noqa: PLC0415 - no server needs it

        cli.add_command(service, name="run")
