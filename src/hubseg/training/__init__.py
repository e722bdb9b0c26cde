"""From corrected masks to fold checkpoints. Imports torch; nothing outside imports it."""
