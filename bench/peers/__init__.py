"""What Hookline is measured against: bare servers and forks, DBOS, Restate."""
