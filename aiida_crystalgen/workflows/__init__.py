"""WorkChains, their protocols, and the builder that turns a campaign file into inputs."""
