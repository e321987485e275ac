"""Tables, pictures and pages of a finished campaign: read only."""
