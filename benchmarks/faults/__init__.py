"""A fault campaign against the command `textvae`: stops, full disks and hostile inputs."""
