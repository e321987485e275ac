"""One parser for every batch job."""
