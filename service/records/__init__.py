"""What the service keeps beside the threads' checkpoints: keys, threads, runs, usage, feedback and documents."""
