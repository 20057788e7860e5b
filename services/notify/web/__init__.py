"""Notify over HTTP: routes as data, views as functions."""
