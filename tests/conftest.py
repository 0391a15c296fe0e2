"""All tests of this process run the sources, unless the compiled modules themselves are tested."""

import os

from tests.pure import run_sources

if not os.environ.get("COORD_TEST_COMPILED"):
    run_sources()

pytest_plugins = ["client.testing.pytest_plugin"]
