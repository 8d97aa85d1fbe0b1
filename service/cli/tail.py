"""`callstream tail`."""

import rich_click as click


@click.command()
@click.option("--portal", type=int, help="Only events of this account.")
@click.option("--call", "call_id", help="Only events of this call.")
@click.option(
    "--type",
    "kinds",
    multiple=True,
    help="Only events of this type: created, updated, deleted, restored, snapshot. Repeatable.",
)
@click.option(
    "--since",
    help="Begin with the events of then on: an age such as 90s, 15m, 2h or 7d, a time such as "
    "2024-01-15T11:00:00Z, or 0 for the oldest event kept. Without it: from now on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per line.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after this many events.")
def tail(  # noqa: PLR0913 - one parameter an option
    *,
    portal: int | None,
    call_id: str | None,
    kinds: tuple[str, ...],
    since: str | None,
    as_json: bool,
    count: int | None,
) -> None:
    """Show the events on the streams as they land.

    Reads without a consumer group, so nothing is acknowledged and no consumer is disturbed. Needs
    STREAMS_REDIS_URL or REDIS_URL, and NAMESPACE where the deployment has one. Ends on Ctrl-C.
    """
    import asyncio
    import time

    from jobs.config.settings import environment, load
    from service.cli import tailing

    found = environment()
    if not found.get("REDIS_URL"):  # the streams are all that is read
        found["REDIS_URL"] = found.get("STREAMS_REDIS_URL", "")
    settings = load(found, role="consumer")
    try:
        start = tailing.start_of(since, round(time.time() * 1_000))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    wanted = tailing.Wanted(portal, call_id, tailing.types_of(kinds), count)
    show = tailing.print_json if as_json else tailing.print_line
    asyncio.run(tailing.tail(settings.streams_redis_url, settings.namespace, start, wanted, show))
