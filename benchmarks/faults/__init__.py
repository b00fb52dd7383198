"""A fault campaign against the command `textvae`: kills, interrupts, full disks and hostile inputs."""
