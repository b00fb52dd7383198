"""Small models whose every quantity is known exactly, for theorem tests."""
