"""What knows ROS 2: one file a node, and what they share. Nodes carry, the core computes."""
