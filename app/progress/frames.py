"""A batch of records, encoded once for everybody who watches."""

from functools import cached_property

from app.core.websocket import text_frame


class Frame:
    """Records ``first`` up to, not including, ``next``. ``body`` is the page as JSON, as polling gives it."""

    def __init__(self, first: int, next_offset: int, *, closed: bool, body: bytes) -> None:
        self.first = first
        self.next = next_offset
        self.closed = closed
        self.body = body

    @cached_property
    def text(self) -> str:
        """The message of the WebSocket."""
        return '{"type":"records",' + self.body[1:].decode()

    @cached_property
    def socket(self) -> bytes:
        """The same as bytes of the WebSocket protocol."""
        return text_frame(b'{"type":"records",' + self.body[1:])

    @cached_property
    def event(self) -> bytes:
        """The same as a server-sent event, whose id is where to go on."""
        return b"id: %d\nevent: records\ndata: %b\n\n" % (self.next, self.body)


PING_TEXT = '{"type":"ping"}'
PING_SOCKET = text_frame(PING_TEXT.encode())
PING_EVENT = b": ping\n\n"
