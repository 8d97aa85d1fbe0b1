"""The watch over a server's memory: no loss goes unnoticed, and nothing else is taken for one."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.pulse.watch import Finding, Sent, Watch


@dataclass
class Server:
    """A server that forgets a tail of its history, or all of it, when it dies."""

    history: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Process and the commit's number, in the order of execution."""
    epochs: int = 1

    def execute(self, process: str, number: int) -> tuple[str, int]:
        """Take a commit and answer it."""
        self.history.append((process, number))
        return self.look(process)

    def look(self, process: str) -> tuple[str, int]:
        """Answer how much of a process' commits is there."""
        return f"epoch-{self.epochs}", sum(name == process for name, _ in self.history)


@dataclass
class Commit:
    """A commit under way, which makes the numbered acknowledgements safe, or a look."""

    number: int
    sent: Sent
    holds: frozenset[int]
    answer: tuple[str, int] | None = None
    looks: bool = False


@dataclass
class Process:
    """A process that commits, remembers what was acknowledged, and commits it again on a loss."""

    name: str
    watch: Watch = field(default_factory=Watch)
    under_way: list[Commit] = field(default_factory=list[Commit])
    acknowledged: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    """What each acknowledged commit holds, by its number."""
    again: set[int] = field(default_factory=set[int])
    findings: list[Finding] = field(default_factory=list[Finding])


class WatchMachine(RuleBasedStateMachine):
    """Two processes commit, and look, side by side; the server may lose data at every step.

    A commit that is under way may be executed more than once, as clients retry. One that has
    failed may still be executed, as long as the server that it was sent to lives.
    """

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.processes = [Process("a"), Process("b")]
        self.lingering: list[tuple[Process, Commit]] = []
        self.numbers = 0
        self.losses = 0
        self.failures = 0

    def begin(self, process: Process) -> Commit:
        """Send a commit; what must be made again goes along."""
        self.numbers += 1
        holds = frozenset({self.numbers, *process.again})
        process.again.clear()
        commit = Commit(self.numbers, process.watch.send(), holds)
        process.under_way.append(commit)
        return commit

    def run(self, process: Process, commit: Commit) -> None:
        """Have the server execute it."""
        if commit.looks:
            commit.answer = self.server.look(process.name)
        else:
            commit.answer = self.server.execute(process.name, commit.number)

    def hear(self, process: Process, commit: Commit) -> Finding:
        """Take the answer in, and have all that is remembered made again if it may be lost."""
        assert commit.answer is not None
        process.under_way.remove(commit)
        if commit.looks:
            finding = process.watch.looked(commit.sent, *commit.answer)
        else:
            process.acknowledged[commit.number] = commit.holds
            finding = process.watch.answered(commit.sent, *commit.answer)
        process.findings.append(finding)
        if finding != "kept":
            process.again |= set().union(*process.acknowledged.values())
        return finding

    def picked(self, data: st.DataObject, *, answered: bool) -> tuple[Process, Commit] | None:
        """Return a commit under way, of those that have an answer if need be."""
        found = [
            (process, commit)
            for process in self.processes
            for commit in process.under_way
            if commit.answer is not None or not answered
        ]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(which=st.integers(0, 1))
    def send(self, which: int) -> None:
        self.begin(self.processes[which])

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        process = self.processes[which]
        process.under_way.append(Commit(0, process.watch.send(), frozenset(), looks=True))

    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        if picked := self.picked(data, answered=False):
            self.run(*picked)

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if picked := self.picked(data, answered=True):
            self.hear(*picked)

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        if picked := self.picked(data, answered=False):
            process, commit = picked
            process.under_way.remove(commit)
            if commit.looks:
                process.watch.refused(commit.sent)
                return
            process.watch.failed(commit.sent)
            # Its part of what must be made again was not confirmed.
            process.again |= commit.holds - {commit.number}
            self.lingering.append((process, commit))
            self.failures += 1

    @precondition(lambda self: self.lingering)
    @rule()
    def execute_late(self) -> None:
        process, commit = self.lingering.pop()
        self.server.execute(process.name, commit.number)

    @precondition(lambda self: self.server.history)
    @rule(data=st.data())
    def lose_tail(self, data: st.DataObject) -> None:
        del self.server.history[data.draw(st.integers(0, len(self.server.history) - 1)) :]
        self.server.epochs += not self.server.history
        self.losses += 1
        self.lingering.clear()

    @rule()
    def lose_all(self) -> None:
        self.server.history.clear()
        self.server.epochs += 1
        self.losses += 1
        self.lingering.clear()

    @invariant()
    def nothing_else_is_taken_for_a_loss(self) -> None:
        if not self.losses:
            assert all("lost" not in process.findings for process in self.processes)
        if not self.losses and not self.failures:
            assert all("unsure" not in process.findings for process in self.processes)

    def teardown(self) -> None:
        """Let all end and look until nothing is amiss: then the server has all that was told."""
        for process in self.processes:
            for commit in list(process.under_way):
                if commit.answer is None:
                    self.run(process, commit)
                self.hear(process, commit)
            finding: Finding = "unsure"
            while finding != "kept" or process.again:
                if process.again:
                    commit = self.begin(process)
                else:
                    self.look(self.processes.index(process))
                    commit = process.under_way[-1]
                self.run(process, commit)
                finding = self.hear(process, commit)
            kept = {number for name, number in self.server.history if name == process.name}
            holds = process.acknowledged
            safe = set().union(*(holds.get(number, frozenset()) for number in kept))
            assert set(holds) <= safe


def test_no_loss_goes_unnoticed() -> None:
    """Whatever order commits run and answer in, an acknowledged one that is lost is made again.

    And a watch never tells of a loss where the server lost nothing.
    """
    run_state_machine_as_test(
        WatchMachine,
        settings=settings(max_examples=400, stateful_step_count=40),
    )


def test_another_process_hides_nothing() -> None:
    """A loss is found though others have gone on since, far beyond what the process had seen."""
    server, watch = Server(), Watch()
    for number in range(5):
        watch.answered(watch.send(), *server.execute("mine", number))
    del server.history[3:]
    for number in range(100):
        server.execute("theirs", number)

    assert watch.answered(watch.send(), *server.execute("mine", 6)) == "lost"


def test_answers_out_of_order() -> None:
    """Commits whose answers overtake each other are no loss."""
    server, watch = Server(), Watch()
    sent = [watch.send() for _ in range(4)]
    answers = [server.execute("mine", number) for number in range(4)]

    found = [watch.answered(sent[number], *answers[number]) for number in (3, 1, 0, 2)]

    assert found == ["kept"] * 4


def test_a_refusal_is_no_doubt() -> None:
    """A commit that the server answered with an error casts no doubt on the others."""
    server, watch = Server(), Watch()
    watch.answered(watch.send(), *server.execute("mine", 1))
    watch.refused(watch.send())

    assert watch.answered(watch.send(), *server.execute("mine", 2)) == "kept"


def test_a_failure_whose_place_is_free_is_a_doubt() -> None:
    """After a commit of unknown fate a count is believed only where it leaves room for it."""
    server, watch = Server(), Watch()
    watch.answered(watch.send(), *server.execute("mine", 1))
    watch.failed(watch.send())
    first = watch.answered(watch.send(), *server.execute("mine", 2))
    lost_answer = watch.send()
    server.execute("mine", 3)
    watch.failed(lost_answer)
    second = watch.answered(watch.send(), *server.execute("mine", 4))

    assert (first, second) == ("unsure", "kept")


def test_a_count_comes_once() -> None:
    """A commit that was under way and took the place of a lost one is told by its count."""
    server, watch = Server(), Watch()
    watch.answered(watch.send(), *server.execute("mine", 1))
    under_way = watch.send()
    watch.answered(watch.send(), *server.execute("mine", 2))
    del server.history[1:]

    assert watch.answered(under_way, *server.execute("mine", 3)) == "lost"


def test_another_epoch_is_a_loss_whatever_the_count() -> None:
    """A server that was emptied is found out even if its count is as high as before."""
    watch = Watch()
    watch.answered(watch.send(), "one", 1)

    assert watch.answered(watch.send(), "another", 2) == "lost"


def test_a_look_is_no_commit() -> None:
    """Looks find a loss where nothing is committed any more, and those that fail cast no doubt."""
    server, watch = Server(), Watch()
    for number in range(3):
        watch.answered(watch.send(), *server.execute("mine", number))
    watch.refused(watch.send())
    before = watch.looked(watch.send(), *server.look("mine"))
    del server.history[2:]

    assert (before, watch.looked(watch.send(), *server.look("mine"))) == ("kept", "lost")


def test_a_look_is_in_doubt_as_a_commit_is() -> None:
    """A commit of unknown fate that took the place of a lost one is a doubt to a look as well."""
    server, watch = Server(), Watch()
    for number in range(2):
        watch.answered(watch.send(), *server.execute("mine", number))
    under_way = watch.send()
    server.history.pop()
    server.execute("mine", 2)
    watch.failed(under_way)

    assert watch.looked(watch.send(), *server.look("mine")) == "unsure"
