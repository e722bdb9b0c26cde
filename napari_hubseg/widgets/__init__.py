"""Widgets of Qt alone, and how they look and behave."""
