"""Read models: for each entity type one SELECT that builds its documents, live and for a rebuild."""
