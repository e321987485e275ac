"""Stand-in for torch_cluster: imported by the generators' environments, never called when they sample."""

__version__ = '1.6.3+plain'
