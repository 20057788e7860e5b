"""Alembic's script folder: `env.py` runs every service's migrations, `script.py.mako` starts a new one."""
