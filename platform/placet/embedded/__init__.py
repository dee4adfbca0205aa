"""The services of the embedded mode: PostgreSQL, Valkey, and the supervisor that runs all."""
