"""Life in an account: calls are logged, edited, associated, merged, archived, purged."""

import gc
from collections import deque
from collections.abc import Callable
from datetime import datetime, tzinfo

import msgspec

from tests.simulator import believable
from tests.simulator.clock import Clock, Timer, iso
from tests.simulator.limits import zone
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Actor, Change, Link
from tests.simulator.model.kinds import FROM_CALL, USUAL
from tests.simulator.seeds import stream

RECENT = 2_000
"""Life goes on for so many of the latest calls."""

SOURCES = ("CRM_UI", "INTEGRATION", "CRM_UI", "API", "CRM_UI_BULK_ACTION")


class Life:
    """What happens in one account, drawn from its seed: one change per step."""

    def __init__(self, account: Account, seed: int) -> None:
        self.account = account
        self.rng = rng = stream(seed, account.portal_id, "life")
        self.staff = account.people
        self._edits = believable.edits(rng, self.staff)
        self._targets = {kind: [rng.randrange(10**9, 10**11) for _ in range(200)] for kind in USUAL}
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._open: deque[int] = deque(maxlen=RECENT)
        self._archived: deque[int] = deque(maxlen=RECENT)
        self._editing = 0

    def step(self) -> None:
        """Let one thing happen."""
        deeds: tuple[tuple[Callable[[], bool], float], ...] = (
            (self._begin, 30),
            (self._end, 24),
            (self._edit, 26),
            (self._associate, 12),
            (self._dissociate, 2),
            (self._archive, 3),
            (self._restore, 1.5),
            (self._merge, 1),
            (self._purge, 0.5),
        )
        acts, weights = zip(*deeds, strict=True)
        if not self.rng.choices(acts, weights)[0]():
            self._begin()

    def bulk(self, count: int) -> None:
        """Import calls: logged after the fact, over the last 300 days, without notifications."""
        account, rng, now = self.account, self.rng, self.account.clock.now_ms()
        by = Actor("IMPORT", f"importId:{rng.randrange(10**8)}")
        account.muted = True
        when = sorted(believable.past_moment(rng, now) for _ in range(count))
        for at in when:
            call_id, moment = account.new_id(), iso(at)
            values = believable.whole(rng, rng.choice(self.staff), at)
            values["hs_object_id"] = str(call_id)
            values["hs_createdate"] = values["hs_lastmodifieddate"] = moment
            account.commit(Change(at, "created", call_id, by, values))
            if rng.random() < 0.8:
                link = self._link("contacts")
                account.commit(Change(at, "associated", call_id, by, link=link))
        account.muted = False
        gc.freeze()  # what was made now stays: no collection need look at it again

    def import_now(self, count: int) -> None:
        """Import calls as a file does: at once, with notifications."""
        by = Actor("IMPORT", f"importId:{self.rng.randrange(10**8)}")
        for _ in range(count):
            at = believable.past_moment(self.rng, self.account.clock.now_ms())
            values = believable.whole(self.rng, self.rng.choice(self.staff), at)
            self._recent.append(self.account.create(values, by).id)

    def _by(self) -> Actor:
        person = self.rng.choice(self.staff)
        return Actor(self.rng.choice(SOURCES), f"userId:{person.user_id}")

    def _link(self, kind: str) -> Link:
        return Link(kind, self.rng.choice(self._targets[kind]), FROM_CALL[kind])

    def _pick(self, pool: deque[int], state: str = "live") -> int:
        """Return one of a pool that is in that state; 0 if none was found in a few tries."""
        for _ in range(5):
            call_id = self.rng.choice(pool) if pool else 0
            call = self.account.calls.get(call_id)
            if call is not None and call.state == state:
                return call_id
        return 0

    def _begin(self) -> bool:
        owner = self.rng.choice(self.staff)
        values = believable.beginning(self.rng, owner, self.account.clock.now_ms())
        if whole := self.rng.random() < 0.3:
            values |= believable.ending(self.rng)
        call = self.account.create(values, self._by())
        self._recent.append(call.id)
        if not whole:
            self._open.append(call.id)
        return True

    def _end(self) -> bool:
        while self._open:
            call_id = self._open.popleft()
            if self.account.calls[call_id].state == "live":
                self.account.update(call_id, believable.ending(self.rng), self._by())
                return True
        return False

    def _edit(self) -> bool:
        """Edit a call; half of the time the one that was edited before: edits come in bursts."""
        if not self._editing or self.rng.random() < 0.5:
            self._editing = self._pick(self._recent)
        call = self.account.calls.get(self._editing)
        if call is None or call.state != "live":
            self._editing = 0
            return False
        self.account.update(call.id, next(self._edits), self._by())
        return True

    def _associate(self) -> bool:
        call_id = self._pick(self._recent)
        kind = self.rng.choices(USUAL, (6, 3, 2, 1))[0]
        return bool(call_id) and self.account.associate(call_id, self._link(kind), self._by())

    def _dissociate(self) -> bool:
        call_id = self._pick(self._recent)
        links = self.account.calls[call_id].every_link() if call_id else []
        by = self._by()
        return bool(links) and self.account.dissociate(call_id, self.rng.choice(links), by)

    def _archive(self) -> bool:
        if call_id := self._pick(self._recent):
            self.account.archive(call_id, self._by())
            self._archived.append(call_id)
        return bool(call_id)

    def _restore(self) -> bool:
        if call_id := self._pick(self._archived, "archived"):
            self.account.restore(call_id, self._by())
        return bool(call_id)

    def _purge(self) -> bool:
        if call_id := self._pick(self._archived, "archived") or self._pick(self._recent):
            self.account.purge(call_id, self._by())
        return bool(call_id)

    def _merge(self) -> bool:
        primary, other = self._pick(self._recent), self._pick(self._recent)
        if not primary or not other or primary == other:
            return False
        self.account.merge(primary, [other], self._by(), new_record=self.rng.random() < 0.2)
        return True


class Pace(msgspec.Struct, frozen=True):
    """How many changes happen per second, and in which time zone people work."""

    rate: float
    zone: tzinfo | None

    def at(self, at_ms: float) -> float:
        """Return the rate at a moment."""
        if self.zone is None:
            return self.rate
        return self.rate * believable.busyness(datetime.fromtimestamp(at_ms / 1000, self.zone))


class Traffic:
    """Keeps accounts alive at a rate of changes per second each."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._lives: dict[int, Life] = {}
        self._timers: dict[int, Timer] = {}

    def life(self, account: Account) -> Life:
        """Return the life of an account."""
        life = self._lives.get(account.portal_id)
        if life is None:
            life = self._lives[account.portal_id] = Life(account, self._seed)
        return life

    @property
    def running(self) -> bool:
        """True while any account is alive."""
        return bool(self._timers)

    def start(self, account: Account, rate: float, *, office_hours: bool = False) -> None:
        """Let changes happen at a mean rate per second, at random moments."""
        self.stop(account.portal_id)
        pace = Pace(rate, zone(account.time_zone) if office_hours else None)
        self._plan(self.life(account), pace, self._clock.now_ms())

    def stop(self, portal_id: int | None = None) -> None:
        """Stop the life of an account, or of all."""
        for key in [portal_id] if portal_id is not None else list(self._timers):
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()

    def _plan(self, life: Life, pace: Pace, after_ms: float) -> None:
        at = after_ms + life.rng.expovariate(pace.at(after_ms)) * 1000

        def act() -> None:
            self._plan(life, pace, at)
            life.step()

        self._timers[life.account.portal_id] = self._clock.call_at(round(at), act)
