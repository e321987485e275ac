"""The CalcJobs that run the harness, and the cheap calcfunctions between them."""
