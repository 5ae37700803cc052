"""The bank relationships that come with the project, one TOML file each."""
