"""Stand-in for wandb: CrysBFN imports it at the top of its models, and calls it only when it trains."""
