"""The ledger against a model of its table, over random histories of several claimers."""

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint, unpack
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Claim, Dead, Done, Later, Mark, Verdict
from jobs.redis import command
from jobs.redis import connect as connect_redis
from jobs.timing import Timing

PORTAL = 62515
CALLS = ("510", "511", "512")
AN_HOUR = 3_600_000
LETTER = DeadLetter(reason="refused", error="400", raw=b"\xff")


@dataclass
class Call:
    """A call in the model; absent from the model means idle."""

    hints: set[Hint] = field(default_factory=set[Hint])
    memo: str = ""
    postponed: bool = False
    token: str = ""
    expired: bool = False
    fresh: set[Hint] = field(default_factory=set[Hint])

    @property
    def claimable(self) -> bool:
        """True for a call that a claim would take now."""
        return self.expired if self.token else not self.postponed


class LedgerMachine(RuleBasedStateMachine):
    """Marks at every moment, claims that live or lapse, renewals, verdicts of holders and losers.

    Two ledgers share one Redis: leases of one last, those of the other lapse at once. Marks are
    due at once, so that what happens depends on the order of steps alone.
    """

    url = ""
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = connect_redis(self.url)
        self.lasting = Ledger(self.redis, "", Timing(quiet_ms=0, pace_ms=0, lease_ms=AN_HOUR))
        self.lapsing = Ledger(self.redis, "", Timing(quiet_ms=0, pace_ms=0, lease_ms=0))
        self.model: dict[str, Call] = {}
        self.marked = 0
        self.dead = 0

    def ask(self, *words: str | int) -> object:
        return self.runner.run(command(self.redis, *words))

    def ids(self, *words: str | int) -> set[str]:
        return {name.decode() for name in msgspec.convert(self.ask(*words), list[bytes])}

    @initialize()
    def connect(self) -> None:
        self.ask("FLUSHALL")
        self.runner.run(self.lasting.connect(PORTAL))

    @rule(call_ids=st.lists(st.sampled_from(CALLS), min_size=1, max_size=4))
    def mark(self, call_ids: list[str]) -> None:
        marks: list[Mark] = []
        for call_id in call_ids:
            self.marked += 1
            hint = Hint("propertyChange", self.marked, f"p{self.marked}")
            marks.append(Mark(PORTAL, call_id, (hint,)))
            call = self.model.setdefault(call_id, Call())
            if call.token:
                call.fresh.add(hint)
            else:
                call.hints.add(hint)
                call.postponed = False
        self.runner.run(self.lasting.mark(marks))

    @rule(target=claims, lasts=st.booleans())
    def claim(self, *, lasts: bool) -> object:
        ledger = self.lasting if lasts else self.lapsing
        claim = self.runner.run(ledger.claim(PORTAL, side_by_side=1_000))
        claimable = {call_id: call for call_id, call in self.model.items() if call.claimable}
        assert {call.call_id for call in claim.calls} == set(claimable)
        assert bool(claim.token) is bool(claimable)
        for claimed in claim.calls:
            call = claimable[claimed.call_id]
            call.hints |= call.fresh
            call.fresh = set()
            assert set(unpack(claimed.hints).hints) == call.hints
            assert claimed.memo == call.memo
            call.token = claim.token
            call.expired = not lasts
        return claim if claim.token else multiple()

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        ids = [call.call_id for call in claim.calls]
        held = self.runner.run(self.lasting.renew(PORTAL, claim.token, ids))
        mine = [call for call in self.model.values() if call.token == claim.token]
        assert held == len(mine)
        for call in mine:
            call.expired = False

    @rule(claim=consumes(claims), data=st.data())
    def settle(self, claim: Claim, data: st.DataObject) -> None:
        verdicts = [self.verdict(call.call_id, claim.token, data) for call in claim.calls]
        self.runner.run(self.lasting.settle(PORTAL, claim.token, verdicts))

    def verdict(self, call_id: str, token: str, data: st.DataObject) -> Verdict:
        kind = data.draw(st.sampled_from(("done", "dead", "later", "handed back")))
        call = self.model.get(call_id)
        holds = call is not None and call.token == token
        if call is not None and holds:
            moved = bool(call.fresh)
            kept = call.hints if kind == "handed back" else set[Hint]()
            memo = {"later": token, "handed back": call.memo}.get(kind, "")
            if moved or kind in {"later", "handed back"}:
                self.model[call_id] = Call(kept | call.fresh, memo, postponed=not moved)
            else:
                del self.model[call_id]
        match kind:
            case "done":
                return Done(call_id)
            case "dead":
                self.dead += holds
                return Dead(call_id, LETTER)
            case "later":
                return Later(call_id, AN_HOUR, token)
            case _:
                return Later(call_id, AN_HOUR)

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        room = f"ledger:{PORTAL}"
        due, leased = (self.ids("ZRANGE", f"{room}:{name}", 0, -1) for name in ("due", "leases"))
        held, hints, fresh, memos = (
            self.ids("HKEYS", f"{room}:{name}") for name in ("held", "hints", "fresh", "memo")
        )
        calls = self.model
        assert due == {call_id for call_id, call in calls.items() if not call.token}
        assert leased == held == {name for name, call in calls.items() if call.token}
        assert hints == {call_id for call_id, call in calls.items() if call.hints}
        assert fresh == {call_id for call_id, call in calls.items() if call.fresh}
        assert memos == {call_id for call_id, call in calls.items() if call.memo}

    @invariant()
    def dead_letters_are_written_once(self) -> None:
        assert self.ask("XLEN", "calls:dead") == self.dead

    @invariant()
    @precondition(lambda self: self.model)
    def portal_with_work_has_a_score(self) -> None:
        assert self.ask("ZSCORE", "ledger:portals", PORTAL) is not None

    def teardown(self) -> None:
        self.runner.run(self.redis.aclose())
        self.runner.close()


@pytest.mark.timeout(120)
def test_ledger_follows_its_table(redis_url: str) -> None:
    """No mark is lost, no call has two holders, and nothing is left of what is settled.

    Whatever the order of marks, claims, lapses, renewals and verdicts.
    """
    machine = type("Machine", (LedgerMachine,), {"url": redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
