"""The simulator as a process of its own, and the client of its control API."""

import asyncio
import signal
import sys

import aiohttp
import msgspec
import pytest
from aiohttp import web

from tests.simulator.control import Control, ControlError
from tests.simulator.messages import Create, Update
from tests.simulator.process import ROOT, Running, simulator_process
from tests.simulator.switchboard import Fault

FROZEN = ("--start=2026-01-15T10:00:00Z", "--frozen")


async def test_the_client_does_everything() -> None:
    """Calls are made, changed and told; truth, log, counts, faults and clock can be read."""
    taken: list[bytes] = []

    async def take(request: web.BaseRequest) -> web.Response:
        taken.append(await request.read())
        return web.Response(status=204)

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = f"--webhook-url=http://127.0.0.1:{runner.addresses[0][1]}/"
    async with simulator_process(hook, "--calls=5") as run, Control(run.url) as control:
        first = await control.create({"hs_call_title": "Hi"}, {"contacts": [5]})
        second, third = await control.do(Create(), Create(source="IMPORT"))
        await control.do(Update(first, {"hs_call_title": "Ho"}))
        await control.update(second, {"hs_call_body": "x"})
        await control.associate(second, "company", 7)
        await control.dissociate(first, "contacts", 5)
        await control.archive(second)
        await control.restore(second)
        assert await control.merge(first, second) == first
        await control.purge(third)
        await control.notify({"subscriptionType": "object.novelty"})
        await control.quiet()
        with pytest.raises(ControlError, match="409"):
            await control.archive(third)
        truth = await control.truth(run.portal_id)
        assert len(truth) == 8
        states = [truth[str(call_id)].state for call_id in (first, second, third)]
        assert states == ["live", "merged", "gone"]
        assert truth[str(first)].properties["hs_call_title"] == "Ho"
        assert truth[str(first)].associations == {"companies": ["7"]}
        assert truth[str(second)].merged_into == str(first)
        assert truth[str(first)].acknowledged_at is not None
        kinds = [change.kind for change in await control.changes(run.portal_id)]
        assert kinds.count("created") == 8
        assert b"object.novelty" in b"".join(taken)
        tally = (await control.deliveries()).tally
        assert tally.delivered == tally.made > 10
        await control.fault(Fault(effect="status", status=503))
        assert (await control.faults()).active == [1]
        await control.clear_faults()
        assert (await control.turn(spread_ms=5)).spread_ms == 5
        with pytest.raises(ControlError, match="400"):
            await control.turn(nonsense=1)
        await control.reset_counts()
        assert (await control.requests()).object_reads == 0
        await control.install(installed=False)
        assert (await control.open_account(777)).portal_id == 777
        assert (await control.usage()).cpu_s > 0
        before = (await control.clock()).now_ms
        assert (await control.clock(move_ms=3_600_000)).now_ms >= before + 3_600_000
    await runner.cleanup()


async def some_life(seed: int) -> tuple[object, ...]:
    """Return everything that happened in a run of its own process."""
    async with simulator_process(*FROZEN, f"--seed={seed}") as run, Control(run.url) as control:
        await control.bulk(50)
        await control.traffic(20)
        for _ in range(5):
            await control.clock(move_ms=7_000)
        crowd = await control.crowd(4, 100, 5)
        await control.clock(move_ms=10_000)
        changes = await control.changes(run.portal_id)
        truth = await control.truth(crowd[0].portal_id)
        return run.token, run.client_id, changes, truth, await control.accounts()


async def test_a_seed_is_a_run_in_every_process() -> None:
    """Two processes with one seed live the same life to the ms; another seed lives another."""
    first, again, other = await asyncio.gather(some_life(5), some_life(5), some_life(6))
    assert first == again
    assert first[2] != other[2]
    assert len(first[2]) > 500  # type: ignore[arg-type]


async def test_accounts_are_of_uneven_size() -> None:
    """In a crowd the first account has the most calls, the last the fewest, together all."""
    async with (
        simulator_process("--accounts=6", "--calls=1000") as run,
        Control(run.url) as control,
    ):
        sizes = [state.calls for state in await control.accounts()][1:]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > 3 * sizes[-1]
        assert abs(sum(sizes) - 1_000) < 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_when_it_is_told_to(number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with status 0, also while a request hangs and life goes on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulator", "--port=0", "--rate=50"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    running = msgspec.json.decode(await process.stdout.readline(), type=Running)
    async with Control(running.url) as control, aiohttp.ClientSession(running.url) as session:
        await control.fault(Fault(effect="hang"))
        hanging = asyncio.create_task(session.get("/oauth/authorize"))
        while not (await control.faults()).struck[1]:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
        process.send_signal(number)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def test_a_wrong_knob_is_one_clear_line() -> None:
    """An unknown knob is a usage error: status 2, and no traceback."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulator", "--knob=nonsense=1"),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"nonsense" in said
    assert b"Traceback" not in said
