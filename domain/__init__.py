"""The ground floor: tables, scope, feature catalogue, events, errors, ids. Knows nothing of the floors above."""
