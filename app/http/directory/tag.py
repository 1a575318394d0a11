"""The tag of the directory's operations."""

TAG = "Directory"
