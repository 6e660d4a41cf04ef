"""Where everything lies on disk, how it appears whole, and Parquet in and out. Knows no stage."""
