"""The package's own generative models: torch, numpy and nothing else of ours."""
