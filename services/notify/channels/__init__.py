"""The channels that come with the suite: mail by SMTP, and a file. Registered by entry points like anybody else's."""
