"""Cleanup of a thresholded map: what happens to the model's mask before a person's override.

Responsible for a frozen, self-describing plan of steps in one fixed order, and for the steps. Does
not know slides or edits; it never sees a person's work.
"""

from hubseg.cleanup.cleaned import CleanedMask
from hubseg.cleanup.objects import count_objects
from hubseg.cleanup.plan import Cleanup, cleanups_from, cleanups_to

__all__ = ["CleanedMask", "Cleanup", "cleanups_from", "cleanups_to", "count_objects"]
