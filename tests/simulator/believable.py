"""Calls as sales and support people log them: names, numbers, outcomes, notes."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.simulator.clock import iso
from tests.simulator.model.dispositions import DISPOSITIONS
from tests.simulator.model.people import FIRST_NAMES, LAST_NAMES, Person

_FIRMS = (
    "Acme|Globex|Initech|Umbrella Café|Müller & Söhne|日本電機"
    "|Stark Logistics|Ångström Bros.|Ωmega Labs"
)
_TOPICS = (
    "Discovery Call",
    "Follow-up",
    "Renewal",
    "Demo",
    "Contract questions",
    "Onboarding",
    "Quarterly review",
    "Support escalation",
    "Price negotiation 💶",
)
_SENTENCES = (
    "Discussed product requirements and the timeline for Q3.",
    "They want a second demo with their <b>security</b> team &amp; a copy of the SOC 2 report.",
    "Budget is approved; legal needs two weeks.",
    "Left a message with reception, call back after 15:00.",
    "<ul><li>12 seats</li><li>SSO</li><li>EU hosting</li></ul>",
    "Asked about the API limits — sent the docs.",
    "Très intéressée par offre annuelle.",
    "お客様は来週もう一度お電話をご希望です。",
    "Competitor quoted 20 % less, price is the main objection 😬.",
    '<a href="https://example.com/deck?id=7&amp;v=2">Deck</a> reviewed together.',
)
_CONNECTED, _NO_ANSWER = (
    "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "73a0d17f-1163-4015-bdd5-ec830791da20",
)
_ACTIVITIES = ("Sales call", "Check-in", "Support", "")
_PREFIXES = ("+1 415 555 ", "+44 20 7946 0", "+49 30 901820", "+81 3-5555-", "(0)6-")

FIRMS = tuple(_FIRMS.split("|"))


def busyness(moment: datetime) -> float:
    """Return how busy people are at a local time: 1 on weekdays, little at night."""
    day = 0.15 if moment.weekday() > 4 else 1.0
    return day * _BUSY_HOURS[moment.hour]


_BUSY_HOURS = (
    *(0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.3, 0.7, 1.0, 1.0, 1.0),
    *(0.6, 0.8, 1.0, 1.0, 0.9, 0.6, 0.3, 0.15, 0.15, 0.15, 0.05, 0.05),
)


def past_moment(rng: random.Random, now_ms: int) -> int:
    """Return a moment of the last 300 days, in epoch ms, when people are likely to telephone."""
    while True:
        at = now_ms - rng.randrange(60_000, 300 * 86_400_000)
        if rng.random() < busyness(datetime.fromtimestamp(at / 1000, UTC)):
            return at


def number(rng: random.Random) -> str:
    """Return a telephone number, written as people write them."""
    return f"{rng.choice(_PREFIXES)}{rng.randrange(10_000):04d}"


def body(rng: random.Random) -> str:
    """Return notes: HTML, several scripts, now and then long."""
    count = rng.choices((1, 2, 4, 40), (50, 35, 14, 1))[0]
    return "".join(f"<p>{rng.choice(_SENTENCES)}</p>" for _ in range(count))


def title(rng: random.Random) -> str:
    """Return a title."""
    who = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    return f"{rng.choice(_TOPICS)}: {who}, {rng.choice(FIRMS)}"


def beginning(rng: random.Random, owner: Person, at_ms: int) -> dict[str, str]:
    """Return the properties of a call that is just being dialled or ringing."""
    outbound = rng.random() < 0.7
    values = {
        "hs_timestamp": iso(at_ms),
        "hs_call_title": title(rng),
        "hs_call_direction": "OUTBOUND" if outbound else "INBOUND",
        "hs_call_status": rng.choice(("RINGING", "CONNECTING", "QUEUED")),
        "hs_call_from_number": number(rng),
        "hs_call_to_number": number(rng),
        "hs_call_source": rng.choice(("INTEGRATIONS_PLATFORM", "")),
        "hs_activity_type": rng.choice(_ACTIVITIES),
        "hubspot_owner_id": str(owner.id),
    }
    return {name: value for name, value in values.items() if value}


def ending(rng: random.Random) -> dict[str, str]:
    """Return what is known once it is over."""
    if rng.random() < 0.35:
        return {
            "hs_call_status": rng.choice(("NO_ANSWER", "BUSY", "missed", "CANCELED")),
            "hs_call_disposition": _NO_ANSWER,
            "hs_call_has_voicemail": rng.choice(("true", "false")),
            "hs_call_duration": "0",
        }
    minutes = rng.lognormvariate(1.6, 0.9)
    values = {
        "hs_call_status": "COMPLETED",
        "hs_call_disposition": _CONNECTED if rng.random() < 0.8 else rng.choice([*DISPOSITIONS]),
        "hs_call_duration": str(round(minutes * 60_000)),
        "hs_call_body": body(rng),
    }
    if rng.random() < 0.5:
        call = f"{rng.getrandbits(64):016x}"
        values["hs_call_recording_url"] = f"https://recordings.example.com/{call}.mp3"
        values["hs_call_external_id"] = call
    return values


def whole(rng: random.Random, owner: Person, at_ms: int) -> dict[str, str]:
    """Return the properties of a call that was logged after the fact."""
    return beginning(rng, owner, at_ms) | ending(rng)


def edits(rng: random.Random, staff_of: list[Person]) -> Iterator[dict[str, str]]:
    """Yield what people change afterwards, without end."""
    while True:
        yield rng.choice(
            (
                {"hs_call_body": body(rng)},
                {"hs_call_title": title(rng)},
                {"hubspot_owner_id": str(rng.choice(staff_of).id)},
                {"hs_call_disposition": rng.choice([*DISPOSITIONS])},
                {"hs_call_summary": rng.choice(_SENTENCES)},
                {"hs_call_duration": str(rng.randrange(10**6)), "hs_call_body": body(rng)},
                {"hs_call_recording_url": ""},
                {"hs_attachment_ids": ";".join(str(rng.randrange(10**9)) for _ in range(2))},
            )
        )
