"""Cases that tests share: data only."""
