"""The reviewer's desk: everything a person can do with the open slides, by name.

Responsible for turning wishes into calls of session, layers, ensemble and exports, and for what
follows from them (a verdict leads to the next slide). Knows no widget: panels, keys and the command
palette all end here.
"""

from napari_hubseg.desk.core import DeskCore
from napari_hubseg.desk.rules import Rules
from napari_hubseg.desk.runs import Runs
from napari_hubseg.desk.tools import Tools
from napari_hubseg.desk.work import Work

__all__ = ["Desk", "DeskCore"]


class Desk(Work, Rules, Tools, Runs):
    """What a reviewer works at: every action without a dialog is a method here, by its name."""
