"""Tests of the science floor: no AiiDA profile is needed."""
