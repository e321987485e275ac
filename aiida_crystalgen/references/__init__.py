"""Reference sets: read from files, and found again."""
