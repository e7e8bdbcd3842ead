"""What the service keeps beside the threads' checkpoints: keys, threads, runs, feedback and documents."""
