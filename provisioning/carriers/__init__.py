"""What is known of each carrier, as data: one YAML file a carrier and product, every fact with its source."""
