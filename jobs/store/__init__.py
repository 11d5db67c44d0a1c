"""All that rests in Postgres, read and written inside the caller's transaction."""
