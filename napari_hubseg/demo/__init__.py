"""The bundled sample in a window, and the journey that a script makes through it."""
