"""Each stage from address to address: the only place where stages meet the disk."""
