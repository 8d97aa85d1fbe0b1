"""Whether the settings are complete and make sense, without asking anybody."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from jobs.config.settings import KINDS, Role, Settings, SettingsError, load
from service.doctor.findings import Finding, Notes

_NAMES: Final = frozenset(name.upper() for name in KINDS)
_FAMILIES: Final = tuple({f"{name.partition('_')[0]}_" for name in _NAMES if "_" in name})
_ALIKE: Final = 0.8
"""From which likeness on a name is taken for a setting misspelt."""


def judge_settings(environ: Mapping[str, str]) -> Sequence[Finding]:
    """Judge what a service and a worker would be started with."""
    notes = Notes("settings")
    for problem in problems(environ):
        name, _, why = problem.partition(":")
        notes.problem(name, why.strip(), f"set {name} in the environment or in .env")
    if not notes.findings:
        notes.ok("all", "complete for service and worker")
    if not environ.get("REDIS_URL", "").strip():
        notes.warning(
            "REDIS_URL",
            "not set: only callstream run works, with a Redis whose data ends with it",
            "set REDIS_URL to a Redis that keeps its data",
        )
    for name, meant in misspelt(environ).items():
        notes.warning(name, "is no setting of Callstream", f"rename it to {meant}, or remove it")
    if weak := set(usable(environ).signature_versions) - {"v3"}:
        said = f"{' and '.join(sorted(weak))} signatures do not cover the time of a request"
        notes.warning("SIGNATURE_VERSIONS", said, "accept v3 alone unless HubSpot sends no v3")
    return notes.findings


def problems(environ: Mapping[str, str]) -> Sequence[str]:
    """Return what is missing or wrong, each once, as the processes would say it."""
    embedded = not environ.get("REDIS_URL", "").strip()
    roles: tuple[Role, ...] = ("run",) if embedded else ("service", "worker")
    found: dict[str, None] = {}
    for role in roles:
        try:
            load(environ, role=role)
        except SettingsError as error:
            found.update(dict.fromkeys(error.problems))
    return tuple(found)


def usable(environ: Mapping[str, str]) -> Settings:
    """Return the settings without those that are wrong, so that the rest can be examined."""
    try:
        return load(environ, role="tool")
    except SettingsError as error:
        wrong = {problem.partition(":")[0] for problem in error.problems}
    return load({k: v for k, v in environ.items() if k not in wrong}, role="tool")


def misspelt(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return names that look like a setting and are none -> the setting that may be meant."""
    strangers = (n for n in environ if n.startswith(_FAMILIES) and n not in _NAMES)
    meant = {name: get_close_matches(name, _NAMES, 1, _ALIKE) for name in sorted(strangers)}
    return {name: matches[0] for name, matches in meant.items() if matches}
