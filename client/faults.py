"""Settings that cannot be: collected, so that all faults are told at once, each with its key.

A converter of a settings class reads its value with `attempt`; what is wrong stays in the field
until the object is whole, and then `raise_faults` tells of all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs

Given = TypeVar("Given")
Value = TypeVar("Value")
Record = TypeVar("Record", bound=attrs.AttrsInstance)


class ClientConfigError(ValueError):
    """A client cannot be configured so.

    try:
        config = ClientConfig("host:nonsense", session_timeout="soon")
    except ClientConfigError as error:
        print(error.faults)
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
        """All that is wrong: each a key, a colon, and what would be right."""

    def below(self, key: str) -> list[str]:
        """Return the faults of a part as those of the whole."""
        return [key + (fault if fault.startswith("[") else "." + fault) for fault in self.faults]


@attrs.frozen
class _Fault:
    """Stands in a field instead of its value, until the object is whole."""

    error: ValueError


def attempt(read: Callable[[Given], Value], given: Given) -> Value:
    """Return what `read` makes of a value; what it raises is kept for `raise_faults`."""
    try:
        return read(given)
    except ValueError as error:
        return cast("Value", _Fault(error))


def raise_faults(record: attrs.AttrsInstance) -> None:
    """Raise ClientConfigError if any field could not be read."""
    found: list[str] = []
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if isinstance(value, _Fault):
            found += faults_of(field.name, value.error)
    if found:
        raise ClientConfigError(found)


def faults_of(key: str, error: ValueError) -> list[str]:
    """Return what an error says of the value of a key."""
    return error.below(key) if isinstance(error, ClientConfigError) else [f"{key}: {error}"]


def structure(cls: type[Record], raw: Mapping[str, Any]) -> Record:
    """Make an object of named values; an unknown name is a fault. What must be given is None."""
    fields = attrs.fields_dict(cls)
    known = ", ".join(fields)
    found = [f"{key}: unknown key; known are {known}" for key in sorted(raw.keys() - fields.keys())]
    values = {
        name: raw.get(name)
        for name, field in fields.items()
        if name in raw or field.default is attrs.NOTHING
    }
    try:
        record = cls(**values)
    except ClientConfigError as error:
        raise ClientConfigError([*found, *error.faults]) from None
    if found:
        raise ClientConfigError(found)
    return record
