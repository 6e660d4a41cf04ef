"""What `assay init` and `assay suggest` write."""
