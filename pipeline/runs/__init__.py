"""What one run is: its configuration, the hashes of its inputs, the key of each stage."""
