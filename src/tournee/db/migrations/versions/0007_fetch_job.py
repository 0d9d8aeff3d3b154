"""Which job brought a message."""

from alembic import op

from tournee.db.migrations import execute_script, read_sql

revision = "0007_fetch_job"
down_revision = "0006_waiting"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the plain SQL beside this file."""
    execute_script(op.get_bind(), read_sql(revision))
