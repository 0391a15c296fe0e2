"""What a quorum system is good for: figures, comparisons, and what the loss of replicas means.

Everything is computed from the expressions that the replicas themselves evaluate.
"""

from coord.quorums.planning.analysis import Analysis, Assumptions, Side, TooLargeError, analyse
from coord.quorums.planning.candidates import Objective, plan
from coord.quorums.planning.latency import Delays
from coord.quorums.planning.outlook import Outlook, look_ahead

__all__ = [
    "Analysis",
    "Assumptions",
    "Delays",
    "Objective",
    "Outlook",
    "Side",
    "TooLargeError",
    "analyse",
    "look_ahead",
    "plan",
]
