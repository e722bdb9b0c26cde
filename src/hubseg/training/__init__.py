"""From corrected masks to fold checkpoints. Imports torch; nothing outside this package imports it."""
