"""What a job asks of a machine or a cluster, and what it computes on."""
