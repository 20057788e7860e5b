"""Pure building blocks: time, ids, hashing, text, working calendar, errors. No I/O beyond reading configuration."""
