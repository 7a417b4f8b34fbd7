"""How work that is under way tells how far it has come."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # stage, tiles done, tiles in all
