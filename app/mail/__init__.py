"""Mail: what a letter looks like, how it leaves the house, and the task that sees to it that it does."""
