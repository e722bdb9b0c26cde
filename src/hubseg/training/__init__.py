"""From corrected masks to fold checkpoints.

Training needs torch; the formulas of :mod:`hubseg.mask.metrics` do not, and others use them.
"""
