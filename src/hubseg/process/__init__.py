"""How our processes behave on a computer: their logs and their priority."""
