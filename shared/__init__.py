"""What the five services share: contracts, kernel, ledger, wire, runtime. Never imports a service."""
