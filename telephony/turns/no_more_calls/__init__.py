"""When somebody says that they do not want to be called again; one YAML file a language."""
