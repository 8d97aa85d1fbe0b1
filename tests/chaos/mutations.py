"""The protections that the campaign must miss when they are gone."""

from typing import Final

from tests.chaos.mutation import Mutation, Patch

MUTATIONS: Final = (
    Mutation(
        name="leases-never-end",
        removes="the calls of a dead worker are claimed anew",
        patches=[
            Patch(
                "jobs/lua/ledger/claim.lua",
                "ipairs({due_key, leases_key})",
                "ipairs({due_key})",
            )
        ],
        windows=["worker-sigkill"],
    ),
    Mutation(
        name="nobody-rings",
        removes="doorbells, and the sweep that stands in for lost ones",
        patches=[
            Patch(
                "service/front_door/ringing.py",
                "        self._bells += bells[:room]\n",
                "",
            ),
            Patch("jobs/lua/ledger/sweep.lua", "while #bells < most do", "while false do"),
        ],
        windows=["calm"],
    ),
    Mutation(
        name="no-sweep",
        removes="the sweep: what rings for work whose doorbell was lost or never rung",
        patches=[Patch("jobs/lua/ledger/sweep.lua", "while #bells < most do", "while false do")],
        windows=["hubspot-5xx", "worker-sigkill"],
    ),
    Mutation(
        name="lost-wake-up",
        removes="a mark that comes while its call is read makes it due again",
        patches=[
            Patch(
                "jobs/lua/ledger/marking.lua",
                "token, marks + 1, claimed_at",
                "token, marks, claimed_at",
            )
        ],
        windows=["worker-sigterm", "calm"],
    ),
    Mutation(
        name="no-ticket-rule",
        removes="what was read before another's publication is not published after it",
        patches=[
            Patch(
                "jobs/lua/stream/publish.lua",
                "if candidate.ticket <= record.stamp and not same then",
                "if false then",
            )
        ],
        windows=["backfill-races"],
    ),
    Mutation(
        name="no-lag-rule",
        removes="an older state of HubSpot's is not published after a newer one",
        patches=[
            Patch(
                "jobs/lua/stream/publish.lua",
                "if is_older(candidate, record) and not same then",
                "if false then",
            )
        ],
        windows=["hubspot-stale"],
    ),
    Mutation(
        name="no-digest",
        removes="a state that was published is not published again",
        patches=[
            Patch(
                "jobs/lua/stream/publish.lua",
                "record.high == candidate.high and record.low == candidate.low",
                "false",
            )
        ],
        windows=["calm"],
    ),
    Mutation(
        name="hints-forgotten",
        removes="a mark is kept until a read shows what the notification said",
        patches=[
            Patch(
                "jobs/live/work.py",
                "if weighed.unmet and isinstance(offer.answer, Found):",
                "if False:",
            )
        ],
        windows=["hubspot-stale", "hubspot-404-new"],
    ),
    Mutation(
        name="answers-before-commit",
        removes="204 only once the marks are in Redis",
        patches=[
            Patch(
                "service/front_door/marking.py",
                "        answer = await self._attempt(parts)\n",
                "        for part in parts:\n            part.tell(Answer.MARKED)\n"
                "        answer = await self._attempt(parts)\n",
            )
        ],
        windows=["redis-sigkill", "redis-read-only"],
    ),
    Mutation(
        name="outage-is-taken",
        removes="503 when Redis takes no writes",
        patches=[
            Patch(
                "service/front_door/marking.py",
                "answer = outage_of(error) or Answer.REFUSED",
                "answer = Answer.MARKED",
            )
        ],
        windows=["redis-read-only", "redis-sigkill"],
    ),
    Mutation(
        name="signature-unchecked",
        removes="only what HubSpot signed is taken",
        patches=[
            Patch(
                "service/front_door/signature.py",
                "matches |= hmac.compare_digest(expected(secret), signature)",
                "matches |= bool(expected(secret)) and bool(signature)",
            )
        ],
        windows=["forgeries"],
    ),
    Mutation(
        name="replays-taken",
        removes="a signature counts for five minutes",
        patches=[
            Patch(
                "service/front_door/signature.py",
                "if abs(skew_ms) > MAX_SKEW_MS:",
                "if False:",
            )
        ],
        windows=["forgeries"],
    ),
    Mutation(
        name="clock-starts-anew",
        removes="versions that go on rising when Redis has lost its clock",
        patches=[
            Patch(
                "jobs/lua/stream/clock.lua",
                "return math.max((tonumber(redis.call('GET', key)) or 0) + 1, server_ms(), seen)",
                "return (tonumber(redis.call('GET', key)) or 0) + 1",
            )
        ],
        windows=["redis-flushall", "redis-truncated-far"],
    ),
    Mutation(
        name="cursor-first",
        removes="a backfill's cursor moves only once its page is published",
        patches=[
            Patch(
                "jobs/backfill/collect.py",
                "    tally = await publish_page(context, setting, page)\n"
                "    change = moved(run, page.after, tally, hold.now)\n",
                "    if page.after is not None:\n"
                "        early = Change(set={'cursor': page.after, 'pages': run.pages + 1})\n"
                "        await hold.change(early)\n"
                "    tally = await publish_page(context, setting, page)\n"
                "    change = moved(run, page.after, tally, hold.now)\n",
            )
        ],
        windows=["backfill-sigkill"],
    ),
    Mutation(
        name="gone-at-once",
        removes="a call is gone only when HubSpot has missed it twice, or ten minutes long",
        patches=[
            Patch(
                "jobs/live/judging.py",
                "        if verdict is None:\n            survivor",
                "        if True:\n            survivor",
            )
        ],
        windows=["hubspot-404-new", "wrong-token"],
    ),
    Mutation(
        name="no-budget",
        removes="HubSpot is asked no more than its limit allows",
        patches=[
            Patch("jobs/lua/budget/take.lua", "if wait > 0 then", "if false then"),
        ],
        windows=["budget"],
    ),
    Mutation(
        name="acknowledges-first",
        removes="a consumer acknowledges what it has handled, not what it was given",
        patches=[
            Patch(
                "client/callstream_client/reader.py",
                "        done: list[str] = []\n",
                "        await self._acknowledge(stream, [entry_id for entry_id, _ in entries])\n"
                "        done: list[str] = []\n",
            ),
        ],
        windows=["consumer-sigkill"],
    ),
    Mutation(
        name="losses-unnoticed",
        removes="services mark again what they acknowledged and Redis lost",
        patches=[
            Patch(
                "service/front_door/remarking.py",
                '        if finding != "kept":\n',
                "        if False:\n",
            )
        ],
        windows=["redis-truncated", "replica-promoted"],
    ),
    Mutation(
        name="streams-unmended",
        removes="calls that were settled lately are marked again when the streams lost them",
        patches=[
            Patch(
                "jobs/live/mending.py",
                "        await server.mend(losses)\n",
                "",
            )
        ],
        windows=["streams-truncated"],
    ),
)
