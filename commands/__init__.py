"""The write side: commands, the bus that runs them, and the history they leave."""
