"""Pictures: how image data is read into canonical rows, kept, and compared."""
