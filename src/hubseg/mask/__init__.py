"""The mask of a slide: kept up to date as its parts change, and measured."""
