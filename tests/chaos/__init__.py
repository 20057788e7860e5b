"""The rig: a producer, a monkey and a judge around the real suite. No part of the services; it breaks real things."""
