"""Thresholds: the table, all of them at once as curves, and the best ones."""
