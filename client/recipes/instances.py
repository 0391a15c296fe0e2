"""The instances of a service: what they say of themselves, and how one of them is picked."""

import hashlib
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs

StrategyName = Literal["round_robin", "random", "least_used", "sticky"]
"""How an instance is picked: in turn, by chance, the least busy one, or always the same for a key.
All heed the weights.

    async with zk.discover("/services/web", "sticky") as web:
        instance = web.pick(key="customer 7")
"""

_KEYS = {"address", "weight", "draining", "labels"}


@attrs.frozen
class Instance:
    """An instance of a service, as it describes itself.

    mine = client.Instance("10.0.0.7:8080", labels={"zone": "a"})
    async with zk.member("/services/web", mine.encode()) as member:
        await serve_until_told_to_stop()
        await member.update(mine.drain().encode())
        await finish_what_is_under_way()
    """

    address: str = attrs.field(validator=attrs.validators.instance_of(str))
    """Where it is, as "host:port" or a URL."""
    weight: float = attrs.field(default=1.0)
    """Its share of the work, beside those of the others."""
    draining: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    """Whether it takes no new work, for it will end soon."""
    labels: Mapping[str, str] = attrs.field(factory=dict)
    """Whatever else it says, as its zone or its version."""
    name: str = attrs.field(default="", kw_only=True)
    """The name of its znode; "" where there is none yet."""

    @weight.validator
    def _check_weight(self, _attribute: object, weight: float) -> None:
        if type(weight) not in (int, float) or not 0 < weight < math.inf:
            raise ValueError(f"a weight is a number above 0, not {weight!r}")

    @labels.validator
    def _check_labels(self, _attribute: object, labels: Mapping[str, str]) -> None:
        if not isinstance(labels, dict) or not all(type(v) is str for v in labels.values()):
            raise ValueError("labels are texts by name")

    def drain(self) -> "Instance":
        """Return the same instance, taking no new work."""
        return attrs.evolve(self, draining=True)

    def encode(self) -> bytes:
        """Return what its znode shall hold: a JSON object."""
        raw: dict[str, Any] = {"address": self.address, "weight": self.weight}
        raw |= {"draining": self.draining, "labels": dict(self.labels)}
        return json.dumps(raw).encode()

    @classmethod
    def decode(cls, name: str, data: bytes) -> "Instance":
        """Return what a znode holds; raise ValueError that says what is wrong with it.

        data, _ = await zk.get("/services/web/a")
        print(Instance.decode("a", data).address)
        """
        raw = json.loads(data)
        if not isinstance(raw, dict) or "address" not in raw:
            raise ValueError("an object with an address is needed")
        if unknown := raw.keys() - _KEYS:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        try:
            return cls(**raw, name=name)
        except TypeError as error:
            raise ValueError(str(error)) from error


@attrs.define(eq=False)
class Usage:
    """An instance, and how its users fared with it."""

    instance: Instance
    """What it says of itself."""
    czxid: int
    """zxid of its registration: another one is another process, with a clean slate."""
    turn: float
    """How often it was picked, by its weight; whoever is behind is next."""
    in_use: int = 0
    """How many use it just now."""
    failures: int = 0
    """How often it failed since it last did not."""
    ejections: int = 0
    """How often it was ejected since it last did not fail."""
    ejected_until: float = -math.inf
    """Until when it is not picked, by Trio's clock."""


def _round_robin(usages: Sequence[Usage], _key: str) -> Usage:
    return min(usages, key=lambda usage: (usage.turn, usage.instance.name))


def _random(usages: Sequence[Usage], _key: str) -> Usage:
    return random.choices(usages, [usage.instance.weight for usage in usages])[0]


def _least_used(usages: Sequence[Usage], _key: str) -> Usage:
    return min(usages, key=lambda usage: (usage.in_use / usage.instance.weight, usage.turn))


def _sticky(usages: Sequence[Usage], key: str) -> Usage:
    """Pick by rendezvous: when an instance goes, only its own keys move."""

    def score(usage: Usage) -> float:
        digest = hashlib.blake2b(f"{key}\0{usage.instance.name}".encode(), digest_size=8).digest()
        fraction = (int.from_bytes(digest) + 1) / (2**64 + 1)
        return -usage.instance.weight / math.log(fraction)

    return max(usages, key=score)


STRATEGIES: dict[StrategyName, Callable[[Sequence[Usage], str], Usage]] = {
    "round_robin": _round_robin,
    "random": _random,
    "least_used": _least_used,
    "sticky": _sticky,
}
"""How each strategy picks, from at least one."""
