"""Generators in environments of their own, in whole campaigns."""
