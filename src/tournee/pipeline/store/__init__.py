"""Typed query functions over schema `news`; the SQL lies in `queries/`, one file a statement."""
