"""The database: schema, one writer, readers, and the spool where orders wait for it."""
