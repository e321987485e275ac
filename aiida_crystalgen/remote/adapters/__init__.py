"""One file a tool: a literal `ABOUT`, `versions()` and `run(rows, job)`."""
