"""File formats: what leaves and what comes in. Each file is one format and does not know the others."""
