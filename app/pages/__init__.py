"""The back-office pages: static shells whose data comes from the documented JSON API."""
