"""Puts lines together from text that comes in pieces. No I/O."""


class LineReader:
    """Gives whole lines as they are completed. A line ends with a line feed alone: JSON may hold the other ends."""

    def __init__(self) -> None:
        self.rest = ""
        """What came after the last line feed."""

    def read(self, text: str) -> list[str]:
        """Return the lines that ``text`` completes, without their line feeds."""
        *whole, self.rest = (self.rest + text).split("\n")
        return whole
