"""How the suite is started, configured and supplied with a town: launcher, private servers, packs."""
