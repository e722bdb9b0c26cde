"""Work in threads and processes, whose answers come back to the window's thread."""
