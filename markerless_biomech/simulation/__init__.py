"""A virtual walker before a virtual rig: keypoints like a lab's, with the truth beside them."""
