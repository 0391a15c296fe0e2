"""Drawn examples may take their time: a machine that is busy with something else is no failure."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None, print_blob=True)
settings.load_profile("unhurried")
