"""What a person did, row by row, and how a slide stands after those rows."""
