"""The review project: a folder that keeps slides, journal, runs, exports and maps.

Responsible for what is on disk and that it gets there: one transaction per row, one writer at a
time, rows kept in memory while the disk refuses them. The only package that knows SQL. Does not
know what a row does to a mask (:mod:`hubseg.session`).
"""

from hubseg.project.adding import Added
from hubseg.project.folder import SUFFIX
from hubseg.project.records import ExportRecord, RunRecord
from hubseg.project.restoring import restore_project
from hubseg.project.review import ReviewProject

__all__ = [
    "SUFFIX",
    "Added",
    "ExportRecord",
    "ReviewProject",
    "RunRecord",
    "restore_project",
]
