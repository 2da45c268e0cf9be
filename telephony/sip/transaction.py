"""The transaction layer: which transaction a message belongs to (RFC 3261 section 17).

Sans-I/O. Guarantee: one request that arrives many times makes one server transaction; a response
reaches only the client transaction whose branch and method it carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.sip.client_transaction import (
    ClientKey,
    ClientState,
    ClientTransaction,
    InviteClientTransaction,
    Surroundings,
    build_ack,
    build_cancel,
)
from telephony.sip.server_transaction import (
    InviteServerTransaction,
    ServerKey,
    ServerState,
    ServerTransaction,
    server_key,
)
from telephony.sip.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from telephony.clock import Clock
    from telephony.errors import SipError
    from telephony.sip.message import SipRequest, SipResponse

__all__ = [
    "ClientState",
    "ClientTransaction",
    "InviteClientTransaction",
    "InviteServerTransaction",
    "ServerState",
    "ServerTransaction",
    "Surroundings",
    "Timers",
    "TransactionLayer",
    "build_ack",
    "build_cancel",
    "server_key",
]


class TransactionLayer:
    """All transactions of one user agent."""

    def __init__(self, clock: Clock, timers: Timers | None = None) -> None:
        self.retransmissions_sent = 0
        self.retransmissions_received = 0
        self._around = Surroundings(clock, timers or Timers(), self._count)
        self._clients: dict[ClientKey, ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}

    def _count(self) -> None:
        self.retransmissions_sent += 1

    def _forget_client(self, ended: ClientTransaction) -> None:
        self._clients.pop(ended.key, None)

    def _forget_server(self, ended: ServerTransaction) -> None:
        self._servers.pop(ended.key, None)

    @property
    def timers(self) -> Timers:
        """The timer values in use."""
        return self._around.timers

    @property
    def active(self) -> int:
        """Transactions that still wait for a final response, or for the ACK of a refusal."""
        return sum(t.waiting for t in self._clients.values()) + sum(t.waiting for t in self._servers.values())

    @property
    def total(self) -> int:
        """All transactions, those included that only absorb repetitions until a timer ends them."""
        return len(self._clients) + len(self._servers)

    def start_client(
        self,
        request: SipRequest,
        *,
        reliable: bool,
        send: Callable[[bytes], None],
        on_response: Callable[[SipResponse], None],
        on_failure: Callable[[SipError], None],
        peer: Hashable = None,
    ) -> ClientTransaction:
        """Send a request, complete with its Via, and follow it to its end.

        Args:
            peer: whom it is sent to, as ``fail_peer`` names it.
        """
        kind = InviteClientTransaction if request.method == "INVITE" else ClientTransaction
        transaction = kind(
            request,
            around=self._around,
            reliable=reliable,
            send=send,
            on_response=on_response,
            on_failure=on_failure,
            on_terminated=self._forget_client,
        )
        self._clients[transaction.key] = transaction
        transaction.peer = peer
        transaction.start()
        return transaction

    def receive_response(self, response: SipResponse) -> bool:
        """Hand a response to its transaction; False where there is none (any more)."""
        transaction = self._clients.get((response.via.branch, response.cseq.method))
        if transaction is None:
            return False
        if not transaction.waiting:
            self.retransmissions_received += 1
        transaction.receive(response)
        return True

    def find_server(self, request: SipRequest, method: str | None = None) -> ServerTransaction | None:
        """The transaction that a request repeats or acknowledges; with ``method`` the one it cancels."""
        return self._servers.get(server_key(request, method))

    def receive_repeated(self, request: SipRequest) -> bool:
        """Whether a transaction took the request: as a repetition, or as the ACK of a refusal."""
        transaction = self.find_server(request)
        if transaction is None:
            return False
        if request.method == "ACK":
            if transaction.state is ServerState.ACCEPTED:
                # The ACK of a 2xx belongs to the dialog, also when a peer wrongly reuses the INVITE's branch.
                return False
        else:
            self.retransmissions_received += 1
        transaction.repeated(request)
        return True

    def start_server(
        self, request: SipRequest, *, reliable: bool, send: Callable[[bytes], None]
    ) -> ServerTransaction:
        """Begin a transaction for a request that repeats none."""
        kind = InviteServerTransaction if request.method == "INVITE" else ServerTransaction
        transaction = kind(
            request,
            around=self._around,
            reliable=reliable,
            send=send,
            on_terminated=self._forget_server,
        )
        self._servers[transaction.key] = transaction
        if isinstance(transaction, InviteServerTransaction):
            transaction.start()
        return transaction

    def fail_peer(self, peer: Hashable, error: SipError) -> None:
        """End every client transaction with that peer: its connection is gone."""
        for client in [client for client in self._clients.values() if client.peer == peer]:
            client.fail(error)

    def close(self, error: SipError) -> None:
        """End every transaction; users that wait are told ``error``."""
        for client in list(self._clients.values()):
            client.fail(error)
        for server in list(self._servers.values()):
            server.terminate()
