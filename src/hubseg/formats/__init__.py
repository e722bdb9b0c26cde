"""File formats: what leaves and what comes in. One file a format, none knows another."""
