"""How good masks are: against truth, against another copy, and as a report."""
