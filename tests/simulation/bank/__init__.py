"""Known bugs, each put back in by a small patch, for the ordinary checkers to find."""
