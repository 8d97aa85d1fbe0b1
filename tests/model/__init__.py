"""The rules of publishing as a pure model, all interleavings of it, and the script beside it.

- `rules`: the decision on one read, each rule of which can be switched off
- `world`: a HubSpot with a history, readers, a stream and its consumer; one step at a time
- `explorer`: every reachable state of a world, and what must hold in each
- `histories`: the histories that are explored
- `replay`: paths through the model, run against the real script on a real Redis
"""
