"""Alembic's way in: run the steps that are missing, inside the transaction of whoever asks."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,  # SQLite can, and a half-made schema must not stay
)
with context.begin_transaction():
    context.run_migrations()
