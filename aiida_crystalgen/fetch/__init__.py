"""Programs that write a reference file from a public database: run by hand, never in a workflow, without AiiDA."""
