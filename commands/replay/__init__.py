"""Replay: what the log says, done again. State replay applies the recorded row changes; command replay executes the
recorded inputs with today's handlers and compares what they change with what was recorded.
"""

from commands.replay.state import Broken, Divergence, State, apply, compare, recorded_changes, replay_state

__all__ = ["Broken", "Divergence", "State", "apply", "compare", "recorded_changes", "replay_state"]
