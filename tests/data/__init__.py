"""Tests of the data nodes and of the columnar layout below them."""
