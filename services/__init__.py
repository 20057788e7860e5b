"""The five services. They never import each other and never read each other's tables."""
