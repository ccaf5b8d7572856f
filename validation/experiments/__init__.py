"""The paper's experiments, one file per listing, table and figure."""
