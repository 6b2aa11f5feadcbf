"""Who may do what: tokens and their keys, users, hosts, signatures."""
