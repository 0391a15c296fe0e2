"""Quorum systems: who must answer for an election, and who for a commit."""
