"""The read side: honest SQL over the projections, one statement where one will do."""
