"""Old saved models: read any container, repair the config, write `.keras`."""
