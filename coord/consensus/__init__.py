"""Agreement on a log of opaque entries; no I/O, no clock, no chance."""
