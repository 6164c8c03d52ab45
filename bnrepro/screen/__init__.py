"""What a process shows of itself: how wide, in which words, and the line at the foot.

`text`: lines as wide as the terminal, numbers as people read them. `streams`: closed, full and
broken ones change nothing. `foot`: what is being done now; it loads rich, so whoever needs it
imports it by itself.
"""

from bnrepro.screen.text import (
    beside,
    count,
    duration,
    fitted,
    percent,
    printed,
    width,
    wrapped,
)

__all__ = [
    "beside",
    "count",
    "duration",
    "fitted",
    "percent",
    "printed",
    "width",
    "wrapped",
]
