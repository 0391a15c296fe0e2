"""Where the servers are: the connection string."""

import attrs

PORT = 2181
"""The port of a server that names none."""


@attrs.frozen
class Hosts:
    """A connection string, taken apart."""

    addresses: tuple[tuple[str, int], ...]
    """Name or address, and port, of each server; at least one."""
    chroot: str
    """What stands before every path at the servers; "" for nothing."""

    @classmethod
    def parse(cls, text: str) -> "Hosts":
        """Take apart "host:port,host:port/chroot"; an IPv6 address stands in brackets."""
        servers, slash, chroot = text.partition("/")
        addresses = tuple(_address(each.strip()) for each in servers.split(",") if each.strip())
        if not addresses:
            raise ValueError(f"no server in {text!r}")
        path = (slash + chroot).rstrip("/")
        if path and not is_path(path):
            raise ValueError(f"{path!r} is no path for a chroot")
        return cls(addresses, path)

    def own(self, full: str) -> str:
        """Return a path at the servers as a client with this chroot calls it; others as they are.

        full: the path at the servers; "" for none, which stays "".
        """
        if full.startswith(f"{self.chroot}/"):
            return full[len(self.chroot) :]
        return "/" if full and full == self.chroot else full


def is_path(path: str) -> bool:
    """Whether this can be the path of a znode, as far as slashes go; servers know the rest."""
    return path == "/" or (path.startswith("/") and not path.endswith("/") and "//" not in path)


def _address(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no address")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit())):
        raise ValueError(f"{text!r} is no address")
    number = int(port) if port else PORT
    if not 0 < number < 65536:
        raise ValueError(f"{text!r} has no possible port")
    return host, number
