"""The panels of the dock: each sees one frozen state and asks by signals named `*_requested`."""
