"""Pure functions on crystals: validity, identity, stability, gates, metrics and ranking.

The folder travels to compute nodes as a zip, so its modules import each other relatively and know nothing of AiiDA.
"""
