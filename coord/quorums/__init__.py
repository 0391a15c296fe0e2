"""Quorum systems: who must answer for an election, and who for a commit."""

from coord.quorums.counting import Counting
from coord.quorums.grammar import excerpt, greatest_id
from coord.quorums.system import QuorumError, QuorumSystem
from coord.quorums.text import parse

__all__ = ["Counting", "QuorumError", "QuorumSystem", "excerpt", "greatest_id", "parse"]
