"""oversight's rules, pure: how the chain is checked, when an answer counts, what a report's figures mean."""
