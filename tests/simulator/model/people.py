"""People who log calls: an account's owners."""

import random

import msgspec

FIRST_NAMES = (
    *("Amara", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Hiro"),
    *("Inés", "José", "Kwame", "Linh", "Mateo", "Noor", "Olga", "Priya"),
)
LAST_NAMES = (
    *("Okafor", "Lindqvist", "Dubois", "Ivanov", "Yilmaz", "Haddad", "Hopper"),
    *("Tanaka", "Núñez", "Pereira", "Mensah", "Trần", "Šimić"),
)


class Person(msgspec.Struct, frozen=True):
    """An owner."""

    id: int
    user_id: int
    first_name: str
    last_name: str
    email: str


def staff(rng: random.Random, count: int) -> list[Person]:
    """Return the people of an account."""
    people: list[Person] = []
    for _ in range(count):
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        owner_id = rng.randrange(10**7, 10**9)
        mail = f"{owner_id}@example.com"
        people.append(Person(owner_id, rng.randrange(10**6, 10**8), first, last, mail))
    return people
