"""Alembic's environment: every slice's models, one transaction a migration, one migrator at a time."""

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from app import registry
from app.core.db import Base, sqlalchemy_url
from app.core.settings import get_settings

# Any constant will do, as long as every Sluice uses the same one.
MIGRATION_LOCK = 0x51_01CE

assert registry.MODELS, "the registry imports every slice's models, which is what fills the metadata"


def run(connection: Connection) -> None:
    """Migrate over ``connection``, while nobody else does."""
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


def main() -> None:
    """Use the connection that the caller handed over, else one of the settings' database."""
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    engine = create_engine(sqlalchemy_url(get_settings()), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            run(connection)
    finally:
        engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    main()
