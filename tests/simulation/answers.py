"""What a read must answer in a given state (rule 23 of `history`)."""

from coord import jute
from coord.wire.connection import Reply
from coord.wire.numbers import OpCode
from coord.wire.requests import GetChildren2Reply
from tests.simulation.invariants import Violation
from tests.simulation.model import NO_NODE, Model, State
from tests.simulation.sent import Request

STAT_BYTES = 68


def check_read(model: Model, request: Request, reply: Reply) -> None:
    """Compare the answer with the state right after the zxid that it bears."""
    state = model.at(request.record.path, reply.zxid)
    if not state.exists:
        agrees = (reply.error, reply.body) == (NO_NODE, b"")
    else:
        agrees = reply.error == 0 and _agrees(state, request.opcode, reply.body)
    if not agrees:
        what = f"{request.opcode.name} {request.record.path}"
        raise Violation(f"23: {what} got {reply}, not {state}")


def _agrees(state: State, opcode: OpCode, body: bytes) -> bool:
    if opcode == OpCode.GET_DATA:
        return body == len(state.data).to_bytes(4) + state.data + state.stat
    if opcode == OpCode.EXISTS:
        return body == state.stat
    answer = jute.decode_all(GetChildren2Reply, body)
    names = answer.children
    is_list = len(names) == len(state.children) and set(names) == state.children
    return is_list and body[-STAT_BYTES:] == state.stat
