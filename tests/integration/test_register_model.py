"""An account's record against a model, over random histories of askers, installs and refusals."""

import asyncio
import itertools

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jobs.accounts.register import Issue, Look, Register
from jobs.ledger.ledger import Ledger
from jobs.redis import command
from jobs.redis import connect as connect_redis
from jobs.timing import Timing

PORTAL = 62515
LIFE_MS = 1_800_000
TIMING = Timing()
DUE_MS = LIFE_MS - TIMING.token_margin_ms - TIMING.token_ahead_ms
"""From this age on a token is to be refreshed; from `SPENT_MS` on it is not used any more."""
SPENT_MS = LIFE_MS - TIMING.token_margin_ms
AGES = st.sampled_from([0, DUE_MS + 60_000, SPENT_MS + 5_000])


class RegisterMachine(RuleBasedStateMachine):
    """Installs and refreshed tokens of any age, askers that finish, fail, or are never heard of.

    Time stands still, but for leases and pauses that run out when a rule says so.
    """

    url = ""
    looks = Bundle("looks")
    """What askers were told, however long ago, each with the asker's word."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = connect_redis(self.url)
        self.ledger = Ledger(self.redis, "", TIMING)
        self.register = Register(self.redis, "", self.ledger, TIMING)
        self.numbers = itertools.count(1)
        self.sealed = b""
        self.age_ms = 0
        self.version = 0
        self.void = False
        self.asker = self.lapsed = ""
        """Who refreshes; empty if nobody does."""
        self.paused = False

    def issue(self, age_ms: int) -> Issue:
        return Issue(sealed=b"%d" % next(self.numbers), life_ms=LIFE_MS, age_ms=age_ms)

    @initialize(age_ms=AGES)
    def begin(self, age_ms: int) -> None:
        self.runner.run(command(self.redis, "FLUSHALL"))
        self.install(age_ms)

    @rule(age_ms=AGES)
    def install(self, age_ms: int) -> None:
        issue = self.issue(age_ms)
        self.runner.run(self.register.install(PORTAL, issue))
        self.renew_model(issue)
        self.void = False

    def renew_model(self, issue: Issue) -> None:
        self.sealed, self.age_ms = issue.sealed, issue.age_ms
        self.asker, self.lapsed, self.paused = "", "", False
        raw = self.runner.run(command(self.redis, "HGET", f"accounts:{PORTAL}", "version"))
        assert isinstance(raw, bytes)
        assert int(raw) > self.version, "versions rise"
        self.version = int(raw)

    @rule(target=looks, refused=st.booleans())
    def look(self, refused: bool) -> object:  # noqa: FBT001 - drawn by name
        asker = f"asker{next(self.numbers)}"
        version = self.version if refused else 0
        told = self.runner.run(self.register.look(PORTAL, asker, refused=version))
        assert told.version == self.version
        assert told.what == self.expected(refused=refused)
        if told.what == "refresh":
            self.asker, self.lapsed = asker, ""
        if told.what != "void":
            assert told.sealed == self.sealed
            assert (told.usable_ms > 0) == (not refused and self.age_ms < SPENT_MS)
        return (told, asker)

    def expected(self, *, refused: bool) -> str:
        if self.void:
            return "void"
        if not refused and self.age_ms < DUE_MS:
            return "use"
        usable = not refused and self.age_ms < SPENT_MS
        if self.asker:
            return "use" if usable else "wait"
        if self.paused:
            return "use" if usable else "later"
        return "refresh"

    @rule(told=looks, age_ms=AGES)
    def keep(self, told: tuple[Look, str], age_ms: int) -> None:
        issue = self.issue(age_ms)
        kept = self.runner.run(self.register.keep(PORTAL, told[0].version, issue))
        assert kept == (told[0].version == self.version and not self.void)
        if kept:
            self.renew_model(issue)

    @rule(told=looks)
    def fail(self, told: tuple[Look, str]) -> None:
        wait_ms = self.runner.run(self.register.put_off(PORTAL, told[1], "server", None))
        # The word of an asker whose lease has run out counts until another takes the lease.
        assert (wait_ms > 0) == (told[1] in {self.asker, self.lapsed})
        if wait_ms:
            self.asker, self.lapsed, self.paused = "", "", True

    @rule(told=looks)
    def refuse(self, told: tuple[Look, str]) -> None:
        done = self.runner.run(self.register.disconnect(PORTAL, told[0].version, "void"))
        assert done == (told[0].version == self.version)
        if done:
            self.void, self.asker, self.lapsed, self.paused = True, "", "", False

    @rule()
    def lease_runs_out(self) -> None:
        if self.asker:
            self.runner.run(
                command(self.redis, "HSET", f"accounts:{PORTAL}", "lease", f"{self.asker}:1")
            )
            self.asker, self.lapsed = "", self.asker

    @rule()
    def pause_ends(self) -> None:
        self.runner.run(command(self.redis, "HDEL", f"accounts:{PORTAL}", "retry_at"))
        self.paused = False

    @rule(right=st.booleans())
    def reseal(self, right: bool) -> None:  # noqa: FBT001 - drawn by name
        anew = b"%d" % next(self.numbers)
        held = self.sealed if right else b"other"
        assert self.runner.run(self.register.reseal(PORTAL, held, anew)) == right
        if right:
            self.sealed = anew

    @invariant()
    def the_account_is_open_unless_void(self) -> None:
        if self.version:
            raw = self.runner.run(command(self.redis, "HGET", f"ledger:{PORTAL}", "open"))
            assert raw == (b"0" if self.void else b"1")

    def teardown(self) -> None:
        self.runner.run(self.redis.aclose())
        self.runner.close()


def test_record_follows_its_model(redis_url: str) -> None:
    """At most one asker refreshes, no stale answer changes anything, and open means not void."""
    run_state_machine_as_test(
        type("Machine", (RegisterMachine,), {"url": redis_url}),
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            derandomize=True,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
