"""What is learned about values on the training split, and its application."""
