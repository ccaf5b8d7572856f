"""Which lines a cache holds: sets in least-recently-used order, index by address modulo sets."""

from __future__ import annotations


class Lines:
    """The tags of a cache of `sets` x `ways` lines."""

    def __init__(self, sets: int, ways: int) -> None:
        self._sets: list[list[int]] = [[] for _ in range(sets)]  # the most recently used comes last
        self._ways = ways

    def _set(self, line: int) -> list[int]:
        return self._sets[line % len(self._sets)]

    def __contains__(self, line: int) -> bool:
        return line in self._set(line)

    def use(self, line: int) -> bool:
        """Whether `line` is here; if so, it is the most recently used of its set."""
        if line not in self:
            return False
        self.fill(line)
        return True

    def fill(self, line: int) -> None:
        """Put `line` in, over the least recently used of its set."""
        lines = self._set(line)
        if line in lines:
            lines.remove(line)
        elif len(lines) == self._ways:
            lines.pop(0)
        lines.append(line)
