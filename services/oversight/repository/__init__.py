"""All of oversight's SQL, by subject: trace, projection, rebuild, evaluations, figures, reports."""
