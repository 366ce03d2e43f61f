"""What an answer is: typed forms, and how they are read from tokens."""
