"""The same where every network learns its images by heart, from its own study."""

from bnrepro.exhibits.last_layer.figure import exhibit_by_heart as exhibit

__all__ = ["exhibit"]
