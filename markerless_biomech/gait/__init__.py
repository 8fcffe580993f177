"""Steps of a walking person from the feet's trajectories: events, step parameters, gait cycles. Knows no camera."""
