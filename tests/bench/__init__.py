"""The bench: the real server beside a hand-written floor, measured in one run (`make bench`)."""
