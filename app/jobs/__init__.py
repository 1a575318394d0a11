"""Background work of a process: the access log writer, the relay of events, the hub of live streams."""
