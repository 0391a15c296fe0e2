"""How the commands connect: the client's settings from the environment, and the hosts given."""

import os

from client import ClientConfig


def settings(hosts: str) -> ClientConfig:
    """Return the settings of a client of these servers; `hosts` may be a URL.

    What is not in it comes from COORD_SESSION_TIMEOUT, COORD_AUTH, COORD_TLS_CA and the others that
    `ClientConfig.from_env` reads. Raises ClientConfigError, a ValueError, with all faults.
    """
    if "://" in hosts:
        return ClientConfig.from_url(hosts)
    return ClientConfig.from_env({**os.environ, "COORD_HOSTS": hosts})
