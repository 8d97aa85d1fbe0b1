"""`callstream service`."""

import rich_click as click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="The port to listen on.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many processes share the port.",
)
def service(host: str, port: int, workers: int) -> None:
    """Receive HubSpot's notifications and mark the calls that they name.

    Stops on SIGTERM or Ctrl-C within SHUTDOWN_GRACE, after the requests in hand.
    """
    from jobs import logs
    from jobs.config.settings import environment, load
    from service.serving import serve

    settings = load(environment(), role="service")
    logs.configure(settings.log_level, settings.log_format)
    serve(settings, host, port, workers)
