"""The body: base model, kinematics, subject."""
