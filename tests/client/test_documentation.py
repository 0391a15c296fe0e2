"""Every public name has an example in its documentation, and the examples do what they say."""

import re

import client
import client.testing
from tests.client.example_world import names_in, run_example
from tests.client.examples import HANDLED, UNSEEN, compiled, is_shared, modules, names

NAMES = list(names())

EXAMPLES = [(each.name, code) for each in [*NAMES, *modules()] for code in each.examples]


ONLY_CODE = {"ClientConfig.from_toml", "OpenStream", "Tls", "client.config"}
"""What would need files, or another machine."""


def shown(word: str, codes: list[str]) -> bool:
    return any(re.search(rf"\b{word}\b", code) for code in codes)


def test_every_public_name_has_an_example():
    """A class and a function in its own documentation; a method there, or in that of its class.

    The methods of a client have one each.
    """
    everywhere = [code for _, code in EXAMPLES]
    missing = []
    for each in NAMES:
        cls, _, member = each.name.partition(".")
        if is_shared(cls):
            is_unseen = cls in HANDLED or any(word in each.text for word in UNSEEN)
            is_there = member or is_unseen or shown(cls, everywhere)
        elif member and cls != "Client":
            is_there = shown(member, [c for name, c in EXAMPLES if name.partition(".")[0] == cls])
        else:
            is_there = each.examples
        if not is_there:
            missing.append(each.name)
    assert missing == [], "no example"


def test_examples_are_code():
    for name, code in EXAMPLES:
        compiled(code, f"the example of {name}")


async def test_examples_run(autojump_clock):
    async with client.testing.ensemble(replicas=1) as shared:
        for number, (name, code) in enumerate(EXAMPLES):
            try:
                if name in ONLY_CODE:
                    continue
                if "servers" not in names_in(code):
                    await run_example(shared, number, name, code)
                    continue
                async with client.testing.ensemble() as own:
                    await run_example(own, number, name, code)
            except Exception as error:
                error.add_note(f"in the example of {name}:\n{code}")
                raise
