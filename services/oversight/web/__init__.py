"""oversight over HTTP: queries for staff, and the pages that everybody may read."""
